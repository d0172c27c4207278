//! pybundle

pub mod archive;
pub mod audit;
pub mod build;
pub mod cache;
pub mod cli;
pub mod digest;
pub mod fetch;
pub mod lambda;
pub mod lock;
pub mod marker;
pub mod name;
pub mod project;
pub mod report;
pub mod settings;
pub mod target;
pub mod tree;
pub mod wheel;
