//! The checkpoints of the Itera-Lite history, where they are, against the logits of a numpy reference in f64.

use std::io::Read as _;

use icpc::eval::Model;

use crate::bench_data;

/// An f32 array of an `.npz`.
pub(crate) fn array(folder: &std::path::Path, name: &str) -> Vec<f32> {
    let file = std::fs::File::open(folder.join("reference/ref_logits.npz")).unwrap();
    let mut archive = zip::ZipArchive::new(file).unwrap();
    let mut bytes = Vec::new();
    archive.by_name(&format!("{name}.npy")).unwrap().read_to_end(&mut bytes).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    assert!(String::from_utf8_lossy(&bytes[..header]).contains("'<f4'"));
    bytes[header..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

fn compare(checkpoint: &str, name: &str) {
    let Some(folder) = bench_data::folder() else { return };
    let model = Model::open(folder.join("checkpoints").join(checkpoint).to_str().unwrap()).unwrap();
    let vocabulary = u32::try_from(model.vocabulary().unwrap()).unwrap();
    let ids: Vec<u32> = (0..128).map(|i| i * 7 % vocabulary).collect();
    let logits = model.logits(&ids).unwrap();
    let expected = array(&folder, name);
    assert_eq!(logits.values.len(), expected.len());
    let largest = logits.values.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("{name}: largest difference {largest:e}");
    assert!(largest < 1e-4, "{name}: {largest:e}");
}

#[test]
fn the_distilled_checkpoint_gives_the_logits_of_the_reference() {
    compare("distilled/itera_lite_micro_distilled.pt", "micro_distilled_fp32");
}

#[test]
fn the_int4_checkpoint_gives_the_logits_of_the_reference() {
    compare("int4/itera_lite_int4.pt", "micro_int4_fakequant");
}

#[test]
fn the_packed_int8_checkpoint_gives_the_logits_of_the_reference() {
    compare("quantized/itera_lite_tiny_int8.pt", "tiny_vocab2000_int8_weightonly");
}
