//! Compatibility of template with upstream.
