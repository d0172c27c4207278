use std::path::Path;

use super::{FileError, Form};

pub(in crate::image) struct Source;

impl Source {
    pub fn recognise(_path: &Path) -> Result<Form, FileError> {
        todo!()
    }

    pub fn open(_form: Form, _path: &Path) -> Result<Self, FileError> {
        todo!()
    }

    pub fn is_oci(&self) -> Result<bool, FileError> {
        todo!()
    }
}
