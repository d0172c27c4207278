//! pybundle

pub mod audit;
pub mod digest;
pub mod lock;
pub mod marker;
pub mod name;
pub mod project;
pub mod report;
pub mod target;
pub mod tree;
pub mod wheel;
