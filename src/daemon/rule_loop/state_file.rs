use std::hash::Hasher as _;
use std::sync::Arc;

use crate::disk::Disk;
use crate::model::labels::Fnv64;
use crate::rules::GroupState;

/// The folder below the data folder.
const FOLDER: &str = "rules";

/// Keeps each group's state in a small file of its own, replaced as a whole.
pub(super) struct StateFile {
    disk: Arc<dyn Disk>,
}

impl StateFile {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }

    /// The recorded state of a group; none when there is no record, or one of another group.
    pub(super) fn load(&self, file: &str, name: &str) -> Result<Option<GroupState>, String> {
        let path = path(file, name);
        let names = self.disk.list(FOLDER).unwrap_or_default();
        if !names.iter().any(|entry| path.ends_with(entry.as_str())) {
            return Ok(None);
        }
        let bytes = self.disk.read(&path).map_err(|e| e.to_string())?;
        let state: GroupState =
            serde_json::from_slice(&bytes).map_err(|e| format!("{path}: {e}"))?;
        // Two groups may share a hash; the record says whose it is.
        Ok((state.file == file && state.name == name).then_some(state))
    }

    pub(super) fn save(&self, state: &GroupState) -> Result<(), String> {
        let bytes = serde_json::to_vec(state).map_err(|e| e.to_string())?;
        self.disk.create_dir(FOLDER).map_err(|e| e.to_string())?;
        self.disk
            .replace(&path(&state.file, &state.name), &bytes)
            .map_err(|e| e.to_string())
    }

    pub(super) fn forget(&self, file: &str, name: &str) {
        // A file that stays costs nothing: it is only believed by a group of the same name.
        let _ = self.disk.remove(&path(file, name));
    }
}

fn path(file: &str, name: &str) -> String {
    let mut hash = Fnv64::default();
    for part in [file, name] {
        hash.write(part.as_bytes());
        hash.write(&[0xff]);
    }
    format!("{FOLDER}/{:016x}.json", hash.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::memory::MemoryDisk;

    #[test]
    fn a_record_is_found_by_file_and_name_only() {
        let files = StateFile::new(Arc::new(MemoryDisk::default()));
        assert_eq!(files.load("a.yaml", "g"), Ok(None));
        let state = GroupState {
            file: "a.yaml".to_owned(),
            name: "g".to_owned(),
            evaluated_at_ms: 5,
            rules: Vec::new(),
        };
        files.save(&state).expect("the disk is well");
        assert_eq!(files.load("a.yaml", "g"), Ok(Some(state)));
        assert_eq!(files.load("b.yaml", "g"), Ok(None));
        files.forget("a.yaml", "g");
        assert_eq!(files.load("a.yaml", "g"), Ok(None));
    }
}
