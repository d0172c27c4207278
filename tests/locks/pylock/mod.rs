//! Selection from pylock.toml, compared with uv and with PyPA's packaging.

mod exported;
mod invalid;
mod markers;
mod oracle;
mod pnpm;
mod tools;
