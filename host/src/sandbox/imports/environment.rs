//! `wasi:cli/environment`: the granted values, and for each granted secret a placeholder. Nothing of the host's own
//! environment, no arguments and no working directory.
//!
//! Made when the guest asks, so that an attempt that does not ask pays nothing.

use wasmtime_wasi::p2::bindings::cli::environment;

use crate::sandbox::attempt::Attempt;

impl environment::Host for Attempt {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        let secrets = self.outbound.placeholders().map(|(name, placeholder)| (name.to_owned(), placeholder.to_owned()));
        Ok(self.granted.env.iter().cloned().chain(secrets).collect())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}
