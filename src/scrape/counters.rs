use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $doc:literal])* $field:ident => $name:literal,)*) => {
        /// What happened in all scrapes since the start, under upstream's names.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[doc = $doc])* pub $field: AtomicU64,)*
        }

        impl Counters {
            /// Name, help and value of each counter.
            pub fn read(&self) -> Vec<(&'static str, &'static str, u64)> {
                vec![$(($name, concat!($($doc),*), self.$field.load(Ordering::Relaxed)),)*]
            }
        }
    };
}

counters! {
    /// Total number of scrapes that hit the body size limit
    exceeded_body_size_limit => "prometheus_target_scrapes_exceeded_body_size_limit_total",
    /// Total number of scrapes that hit the sample limit and were rejected.
    exceeded_sample_limit => "prometheus_target_scrapes_exceeded_sample_limit_total",
    /// Total number of samples rejected due to duplicate timestamps but different values.
    sample_duplicate => "prometheus_target_scrapes_sample_duplicate_timestamp_total",
    /// Total number of samples rejected due to not being out of the expected order.
    sample_out_of_order => "prometheus_target_scrapes_sample_out_of_order_total",
    /// Total number of samples rejected due to timestamp falling outside of the time bounds.
    sample_out_of_bounds => "prometheus_target_scrapes_sample_out_of_bounds_total",
    /// How many times a scrape cache was flushed due to getting big while scrapes are failing.
    cache_flush_forced => "prometheus_target_scrapes_cache_flush_forced_total",
    /// Total number of exemplar rejected due to not being out of the expected order.
    exemplar_out_of_order => "prometheus_target_scrapes_exemplar_out_of_order_total",
    /// Total number of scrapes that hit the native histogram bucket limit and were rejected.
    exceeded_bucket_limit => "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
    /// Total number of times scrape pools hit the label limits, during sync or config reload.
    exceeded_label_limits => "prometheus_target_scrape_pool_exceeded_label_limits_total",
    /// Total number of times scrape pools hit the target limit, during sync or config reload.
    exceeded_target_limit => "prometheus_target_scrape_pool_exceeded_target_limit_total",
    /// Total number of samples of new series that the storage had no room for.
    sample_refused => "watchfire_target_scrapes_sample_refused_total",
}

impl Counters {
    /// Adds one.
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
