//! pybundle

pub mod cache;
pub mod digest;
pub mod fetch;
pub mod lock;
pub mod marker;
pub mod name;
pub mod report;
pub mod target;
pub mod tree;
pub mod wheel;
