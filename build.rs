//! Linker settings of the addon.

fn main() {
    // Otherwise cargo looks through every file here, node_modules included, whenever it builds.
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "addon")]
    napi_build::setup();
    // Node unloads an addon when the last worker thread that used it ends. A name look-up of ours may still be under
    // way in a thread that cannot be interrupted; with its code unmapped the process would crash.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
