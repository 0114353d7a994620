//! Small safetensors files that are put together in memory: statistics, states of a training.

/// One array of [`small_safetensors`].
pub struct Array<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its element type as safetensors spells it.
    pub dtype: &'a str,
    /// Extents.
    pub shape: Vec<u64>,
    /// Elements, little-endian.
    pub bytes: Vec<u8>,
}

impl<'a> Array<'a> {
    /// A vector of f32.
    pub fn floats(name: &'a str, values: &[f32]) -> Array<'a> {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Array { name, dtype: "F32", shape: vec![values.len() as u64], bytes }
    }
}

/// A safetensors file of these arrays, in their order.
pub fn small_safetensors(metadata: serde_json::Value, arrays: &[Array<'_>]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".to_owned(), metadata);
    let mut end = 0usize;
    for Array { name, dtype, shape, bytes } in arrays {
        let start = end;
        end = end.saturating_add(bytes.len());
        let entry = serde_json::json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        header.insert((*name).to_owned(), entry);
    }
    // Maps of strings, numbers and lists: there is nothing that could fail.
    let mut text = serde_json::to_vec(&header).unwrap_or_default();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.extend_from_slice(&text);
    arrays.iter().for_each(|array| out.extend_from_slice(&array.bytes));
    out
}
