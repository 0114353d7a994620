//! Which device, and whether the libtorch that was loaded has it.

use crate::Unavailable;
use std::fmt;
use std::str::FromStr;

/// The version that this program was built with: `2.13.0`.
const BUILT: &str = env!("ICPC_TORCH_VERSION");

/// How to come by a libtorch, for remedies.
const README: &str = "see kernels/torch/README.md";

/// A device of libtorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TorchDevice {
    /// `cpu`.
    Cpu,
    /// `cuda:N`; `cuda` is the first.
    Cuda(usize),
}

impl fmt::Display for TorchDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TorchDevice::Cpu => f.write_str("cpu"),
            TorchDevice::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

/// A name that is no device of libtorch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownDevice(pub String);

impl fmt::Display for UnknownDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is none of cpu, cuda, cuda:N", self.0)
    }
}

impl std::error::Error for UnknownDevice {}

impl FromStr for TorchDevice {
    type Err = UnknownDevice;

    fn from_str(name: &str) -> Result<TorchDevice, UnknownDevice> {
        match (name, name.strip_prefix("cuda:").map(str::parse)) {
            ("cpu", _) => Ok(TorchDevice::Cpu),
            ("cuda", _) => Ok(TorchDevice::Cuda(0)),
            (_, Some(Ok(number))) => Ok(TorchDevice::Cuda(number)),
            _ => Err(UnknownDevice(name.to_owned())),
        }
    }
}

unsafe extern "C" {
    /// Of libtorch's stable interface: major, minor and patch version in the upper three bytes.
    safe fn aoti_torch_abi_version() -> u64;
}

/// The version of the libtorch that was loaded: `2.13.0`.
pub fn version() -> String {
    let [major, minor, patch, ..] = aoti_torch_abi_version().to_be_bytes();
    format!("{major}.{minor}.{patch}")
}

/// GPUs that libtorch finds; nothing when it was built without CUDA.
pub fn gpus() -> Option<u64> {
    // only a build with CUDA knows of its runtime
    tch::utils::has_cudart().then(|| u64::try_from(tch::Cuda::device_count()).unwrap_or(0))
}

impl TorchDevice {
    /// tch's name of a device that is there.
    pub(super) fn open(self) -> Result<tch::Device, Unavailable> {
        same_version(BUILT, &version())?;
        let device = match self {
            TorchDevice::Cpu => tch::Device::Cpu,
            TorchDevice::Cuda(number) => {
                present(number, gpus())?;
                tch::Device::Cuda(number)
            }
        };
        // a device without kernels for its architecture fails at the first one
        let probe = tch::Tensor::f_ones([1], (tch::Kind::Float, device));
        match probe.and_then(|one| one.f_add(&one)).and_then(|two| two.f_double_value(&[0])) {
            Ok(_) => Ok(device),
            Err(error) => Err(Unavailable::new(
                format!("libtorch cannot use {self}: {}", super::tensors::sentence(&error)),
                format!("choose another device, or a libtorch that supports this one ({README})"),
            )),
        }
    }
}

fn same_version(built: &str, loaded: &str) -> Result<(), Unavailable> {
    if loaded == built {
        return Ok(());
    }
    Err(Unavailable::new(
        format!("libtorch {loaded} was loaded, and this program was built with libtorch {built}"),
        format!("put libtorch {built} on the library path, or build anew with the other one ({README})"),
    ))
}

/// Whether device `number` is one of so many; nothing stands for a libtorch without CUDA.
fn present(number: usize, devices: Option<u64>) -> Result<(), Unavailable> {
    match devices {
        None => Err(Unavailable::new(
            "this libtorch was built without CUDA",
            format!("build with a libtorch that has it ({README}), or choose cpu"),
        )),
        Some(0) => Err(Unavailable::new(
            "libtorch finds no CUDA device",
            "check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or choose cpu",
        )),
        Some(1) if number > 0 => Err(Unavailable::new(
            format!("there is no cuda:{number}, libtorch finds one CUDA device"),
            "choose cuda:0",
        )),
        Some(devices) if number as u64 >= devices => Err(Unavailable::new(
            format!("there is no cuda:{number}, libtorch finds {devices} CUDA devices"),
            format!("choose one of cuda:0 to cuda:{}", devices - 1),
        )),
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{TorchDevice, present, same_version};

    #[test]
    fn names_are_read_and_written() {
        for (name, device) in [("cpu", TorchDevice::Cpu), ("cuda:3", TorchDevice::Cuda(3))] {
            assert_eq!((name.parse(), device.to_string()), (Ok(device), name.to_owned()));
        }
        assert_eq!("cuda".parse(), Ok(TorchDevice::Cuda(0)));
        for name in ["", "gpu", "cuda:", "cuda:-1", "cuda:x", "CPU"] {
            assert!(name.parse::<TorchDevice>().is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_missing_is_said_with_a_remedy() {
        assert_eq!(same_version("2.13.0", "2.13.0"), Ok(()));
        assert_eq!((present(0, Some(1)), present(1, Some(2))), (Ok(()), Ok(())));
        let said = |result: Result<(), crate::Unavailable>| result.unwrap_err().to_string();
        insta::assert_snapshot!(said(same_version("2.13.0", "2.10.1")), @"libtorch 2.10.1 was loaded, and this program was built with libtorch 2.13.0: put libtorch 2.13.0 on the library path, or build anew with the other one (see kernels/torch/README.md)");
        insta::assert_snapshot!(said(present(0, None)), @"this libtorch was built without CUDA: build with a libtorch that has it (see kernels/torch/README.md), or choose cpu");
        insta::assert_snapshot!(said(present(0, Some(0))), @"libtorch finds no CUDA device: check `nvidia-smi` and CUDA_VISIBLE_DEVICES, or choose cpu");
        insta::assert_snapshot!(said(present(2, Some(2))), @"there is no cuda:2, libtorch finds 2 CUDA devices: choose one of cuda:0 to cuda:1");
    }
}
