//! Packages laid over a base, compared with what `apt-get install --no-install-recommends` makes of the same base.

mod closures;
mod judge;
mod roots;
mod trees;
