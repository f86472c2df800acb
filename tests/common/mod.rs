//! What several test binaries share: devices, and the golden vectors from Keras.
#![allow(dead_code)]

use fer_gpu::gpu::{Adapter, Gpu, LimitChoice};
use ndarray_npy::NpzReader;
use std::fs::File;
use std::io::Write;
use std::sync::Once;

/// A device on every adapter of this machine.
pub fn devices(limits: LimitChoice) -> Vec<Gpu> {
    let open = |adapter: &Adapter| Gpu::open(adapter, limits).expect("a device opens");
    adapters().iter().map(open).collect()
}

/// Every adapter of this machine. None at all fails, with the remedy; so does one that
/// REQUIRE_ADAPTERS (comma-separated: lavapipe, swiftshader, gl, gpu) names and is missing.
pub fn adapters() -> Vec<Adapter> {
    let adapters = Adapter::all();
    let missing = fer_gpu::gpu::Error::NoAdapter;
    assert!(!adapters.is_empty(), "{}", told(&missing));
    let names: Vec<&str> = adapters.iter().map(|a| a.info.nickname()).collect();
    let required = std::env::var("REQUIRE_ADAPTERS").unwrap_or_default();
    for name in required.split(',').filter(|name| !name.is_empty()) {
        assert!(
            names.contains(&name),
            "REQUIRE_ADAPTERS names {name}; found only {names:?}"
        );
    }
    static REPORT: Once = Once::new();
    REPORT.call_once(|| {
        let missing = ["lavapipe", "swiftshader", "gl"]
            .into_iter()
            .filter(|known| !names.contains(known));
        let missing: Vec<&str> = missing.collect();
        // Past the capture of the test harness: everybody should see what was tested.
        let line = format!(
            "adapters: {}; missing: {}\n",
            names.join(", "),
            missing.join(", ")
        );
        std::io::stderr()
            .write_all(line.as_bytes())
            .expect("stderr");
    });
    adapters
}

/// An error and its remedy.
pub fn told(error: &impl miette::Diagnostic) -> String {
    let remedy = error.help().map(|remedy| format!("; {remedy}"));
    error.to_string() + &remedy.unwrap_or_default()
}

/// An archive of golden vectors (tests/golden/README.md).
pub struct Golden(NpzReader<File>);

impl Golden {
    pub fn open(name: &str) -> Golden {
        let path = format!("{}/tests/golden/{name}.npz", env!("CARGO_MANIFEST_DIR"));
        Golden(NpzReader::new(File::open(path).expect("golden file")).expect("an npz"))
    }

    pub fn names(&mut self) -> Vec<String> {
        let names = self.0.names().expect("names");
        names
            .into_iter()
            .map(|name| name.trim_end_matches(".npy").to_string())
            .collect()
    }

    pub fn f32(&mut self, name: &str) -> Vec<f32> {
        self.array::<f32>(name)
    }

    pub fn f64(&mut self, name: &str) -> Vec<f64> {
        self.array::<f64>(name)
    }

    pub fn u32(&mut self, name: &str) -> Vec<u32> {
        self.array::<u32>(name)
    }

    pub fn u8(&mut self, name: &str) -> Vec<u8> {
        self.array::<u8>(name)
    }

    pub fn shape(&mut self, name: &str) -> Vec<usize> {
        let array: ndarray::ArrayD<f32> = self.0.by_name(&format!("{name}.npy")).expect(name);
        array.shape().to_vec()
    }

    fn array<T: ndarray_npy::ReadableElement + Clone>(&mut self, name: &str) -> Vec<T> {
        let array: ndarray::ArrayD<T> = self.0.by_name(&format!("{name}.npy")).expect(name);
        array.iter().cloned().collect()
    }
}
