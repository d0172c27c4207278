//! pybundle

pub mod archive;
pub mod digest;
pub mod lambda;
pub mod lock;
pub mod marker;
pub mod name;
pub mod report;
pub mod target;
pub mod tree;
pub mod wheel;
