//! Locks of uv: selection and freshness, compared with uv.

mod asked;
mod freshness;
mod invalid;
mod large;
mod scripts;
mod selection;
mod targets;
mod workspaces;
