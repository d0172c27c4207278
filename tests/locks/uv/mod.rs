//! Locks that uv wrote: what is selected from them, compared with what uv itself would install.

mod freshness;
mod invalid;
mod selection;
mod targets;
mod workspaces;
