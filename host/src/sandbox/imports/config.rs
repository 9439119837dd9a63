//! `tasker:handler/config`: the settings of the package, and nothing of the host's own.

use crate::sandbox::attempt::Attempt;
use crate::sandbox::bindings::tasker::handler::config;

impl config::Host for Attempt {
    fn get(&mut self, key: String) -> Option<String> {
        self.host_calls += 1;
        self.settings.iter().find(|(known, _)| *known == key).map(|(_, value)| value.clone())
    }

    fn entries(&mut self) -> Vec<(String, String)> {
        self.host_calls += 1;
        self.settings.to_vec()
    }
}
