//! Wheels: reading them strictly, and installing them into a [`FileTree`](crate::tree::FileTree).

pub mod filename;
