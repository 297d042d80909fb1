//! Memory, from INFO's section Memory. <https://redis.io/docs/latest/commands/info/>

use taffrail_core::metrics;

use crate::fields::{Field, field};

metrics! {
    /// Bytes in the allocator's active pages.
    ALLOCATOR_ACTIVE_BYTES: Gauge = "redis_allocator_active_bytes" [];
    /// Bytes that the allocator gave out, its own fragmentation included.
    ALLOCATOR_ALLOCATED_BYTES: Gauge = "redis_allocator_allocated_bytes" [];
    /// Bytes resident in the allocator, with those it can give back.
    ALLOCATOR_RESIDENT_BYTES: Gauge = "redis_allocator_resident_bytes" [];
    /// Bytes that the allocator has marked as free for the system to take.
    ALLOCATOR_MUZZY_BYTES: Gauge = "redis_allocator_muzzy_bytes" [];
    /// Active to allocated bytes: fragmentation inside the allocator.
    ALLOCATOR_FRAG_RATIO: Gauge = "redis_allocator_frag_ratio" [];
    /// Active less allocated bytes.
    ALLOCATOR_FRAG_BYTES: Gauge = "redis_allocator_frag_bytes" [];
    /// Resident to active bytes: pages that the allocator can give back.
    ALLOCATOR_RSS_RATIO: Gauge = "redis_allocator_rss_ratio" [];
    /// Resident less active bytes.
    ALLOCATOR_RSS_BYTES: Gauge = "redis_allocator_rss_bytes" [];
    /// Bytes that the server has allocated.
    MEMORY_USED_BYTES: Gauge = "redis_memory_used_bytes" [];
    /// Bytes of the server that are resident, as the system sees it.
    MEMORY_USED_RSS_BYTES: Gauge = "redis_memory_used_rss_bytes" [];
    /// The most bytes that were allocated.
    MEMORY_USED_PEAK_BYTES: Gauge = "redis_memory_used_peak_bytes" [];
    /// Bytes of the Lua engine.
    MEMORY_USED_LUA_BYTES: Gauge = "redis_memory_used_lua_bytes" [];
    /// Bytes of the script engine for EVAL, not counted in used memory.
    MEMORY_USED_VM_EVAL_BYTES: Gauge = "redis_memory_used_vm_eval_bytes" [];
    /// Bytes that cached EVAL scripts take.
    MEMORY_USED_SCRIPTS_EVAL_BYTES: Gauge = "redis_memory_used_scripts_eval_bytes" [];
    /// Bytes for managing the data: buffers, tables, clients.
    MEMORY_USED_OVERHEAD_BYTES: Gauge = "redis_memory_used_overhead_bytes" [];
    /// Bytes that were allocated when the server had started.
    MEMORY_USED_STARTUP_BYTES: Gauge = "redis_memory_used_startup_bytes" [];
    /// Bytes of the data itself.
    MEMORY_USED_DATASET_BYTES: Gauge = "redis_memory_used_dataset_bytes" [];
    /// Bytes of the script engine for functions, not counted in used memory.
    MEMORY_USED_VM_FUNCTIONS_BYTES: Gauge = "redis_memory_used_vm_functions_bytes" [];
    /// Bytes of all script engines, not counted in used memory.
    MEMORY_USED_VM_TOTAL: Gauge = "redis_memory_used_vm_total" [] irregular;
    /// Bytes that functions take.
    MEMORY_USED_FUNCTIONS_BYTES: Gauge = "redis_memory_used_functions_bytes" [];
    /// Bytes that scripts and functions take.
    MEMORY_USED_SCRIPTS_BYTES: Gauge = "redis_memory_used_scripts_bytes" [];
    /// EVAL scripts that are cached.
    NUMBER_OF_CACHED_SCRIPTS: Gauge = "redis_number_of_cached_scripts" [];
    /// Functions that are loaded.
    NUMBER_OF_FUNCTIONS: Gauge = "redis_number_of_functions" [];
    /// Libraries that are loaded.
    NUMBER_OF_LIBRARIES: Gauge = "redis_number_of_libraries" [];
    /// The configured bound on memory; 0 where there is none.
    MEMORY_MAX_BYTES: Gauge = "redis_memory_max_bytes" [];
    /// Resident to allocated bytes of the whole server.
    MEM_FRAGMENTATION_RATIO: Gauge = "redis_mem_fragmentation_ratio" [];
    /// Resident less allocated bytes.
    MEM_FRAGMENTATION_BYTES: Gauge = "redis_mem_fragmentation_bytes" [];
    /// Bytes of the buffers for replicas.
    MEM_CLIENTS_SLAVES: Gauge = "redis_mem_clients_slaves" [];
    /// Bytes of the buffers for clients.
    MEM_CLIENTS_NORMAL: Gauge = "redis_mem_clients_normal" [];
    /// Bytes of the links between the nodes of a cluster.
    MEM_CLUSTER_LINKS_BYTES: Gauge = "redis_mem_cluster_links_bytes" [];
    /// Bytes of the append-only file's buffers.
    MEM_AOF_BUFFER_BYTES: Gauge = "redis_mem_aof_buffer_bytes" [];
    /// Bytes of the replication backlog.
    MEM_REPLICATION_BACKLOG_BYTES: Gauge = "redis_mem_replication_backlog_bytes" [];
    /// Bytes that do not count when keys are evicted.
    MEM_NOT_COUNTED_FOR_EVICTION_BYTES: Gauge = "redis_mem_not_counted_for_eviction_bytes" [];
    /// Bytes of all replication buffers.
    MEM_TOTAL_REPLICATION_BUFFERS_BYTES: Gauge = "redis_mem_total_replication_buffers_bytes" [];
    /// Bytes of tables that are being rehashed.
    MEM_OVERHEAD_DB_HASHTABLE_REHASHING_BYTES: Gauge = "redis_mem_overhead_db_hashtable_rehashing_bytes" [];
    /// Objects that wait to be freed in the background.
    LAZYFREE_PENDING_OBJECTS: Gauge = "redis_lazyfree_pending_objects" [];
    /// Objects that were freed in the background.
    LAZYFREED_OBJECTS: Gauge = "redis_lazyfreed_objects" [];
    /// The share of CPU in percent that active defragmentation may take now; 0 when it does not run.
    ACTIVE_DEFRAG_RUNNING: Gauge = "redis_active_defrag_running" [];
}

/// The fields of INFO that are published as they are.
pub(crate) static FIELDS: &[Field] = &[
    field("allocator_active", &ALLOCATOR_ACTIVE_BYTES),
    field("allocator_allocated", &ALLOCATOR_ALLOCATED_BYTES),
    field("allocator_resident", &ALLOCATOR_RESIDENT_BYTES),
    field("allocator_muzzy", &ALLOCATOR_MUZZY_BYTES),
    field("allocator_frag_ratio", &ALLOCATOR_FRAG_RATIO),
    field("allocator_frag_bytes", &ALLOCATOR_FRAG_BYTES),
    field("allocator_rss_ratio", &ALLOCATOR_RSS_RATIO),
    field("allocator_rss_bytes", &ALLOCATOR_RSS_BYTES),
    field("used_memory", &MEMORY_USED_BYTES),
    field("used_memory_rss", &MEMORY_USED_RSS_BYTES),
    field("used_memory_peak", &MEMORY_USED_PEAK_BYTES),
    field("used_memory_lua", &MEMORY_USED_LUA_BYTES),
    field("used_memory_vm_eval", &MEMORY_USED_VM_EVAL_BYTES),
    field("used_memory_scripts_eval", &MEMORY_USED_SCRIPTS_EVAL_BYTES),
    field("used_memory_overhead", &MEMORY_USED_OVERHEAD_BYTES),
    field("used_memory_startup", &MEMORY_USED_STARTUP_BYTES),
    field("used_memory_dataset", &MEMORY_USED_DATASET_BYTES),
    field("used_memory_vm_functions", &MEMORY_USED_VM_FUNCTIONS_BYTES),
    field("used_memory_vm_total", &MEMORY_USED_VM_TOTAL),
    field("used_memory_functions", &MEMORY_USED_FUNCTIONS_BYTES),
    field("used_memory_scripts", &MEMORY_USED_SCRIPTS_BYTES),
    field("number_of_cached_scripts", &NUMBER_OF_CACHED_SCRIPTS),
    field("number_of_functions", &NUMBER_OF_FUNCTIONS),
    field("number_of_libraries", &NUMBER_OF_LIBRARIES),
    field("maxmemory", &MEMORY_MAX_BYTES),
    field("mem_fragmentation_ratio", &MEM_FRAGMENTATION_RATIO),
    field("mem_fragmentation_bytes", &MEM_FRAGMENTATION_BYTES),
    field("mem_clients_slaves", &MEM_CLIENTS_SLAVES),
    field("mem_clients_normal", &MEM_CLIENTS_NORMAL),
    field("mem_cluster_links", &MEM_CLUSTER_LINKS_BYTES),
    field("mem_aof_buffer", &MEM_AOF_BUFFER_BYTES),
    field("mem_replication_backlog", &MEM_REPLICATION_BACKLOG_BYTES),
    field("mem_not_counted_for_evict", &MEM_NOT_COUNTED_FOR_EVICTION_BYTES),
    field("mem_total_replication_buffers", &MEM_TOTAL_REPLICATION_BUFFERS_BYTES),
    field("mem_overhead_db_hashtable_rehashing", &MEM_OVERHEAD_DB_HASHTABLE_REHASHING_BYTES),
    field("lazyfree_pending_objects", &LAZYFREE_PENDING_OBJECTS),
    field("lazyfreed_objects", &LAZYFREED_OBJECTS),
    field("active_defrag_running", &ACTIVE_DEFRAG_RUNNING),
];
