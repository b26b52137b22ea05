// SPDX-License-Identifier: GPL-3.0-or-later
// The catalogue's tables. Rows of one metric family stand together; facts and attributes stand in
// the order of their enums, so that an object's arrays can be indexed by enum - first.
#include "model/catalogue.h"

#include <string.h>

#define B true
#define D false

const struct fact_desc model_facts[FACT_MAX] = {
#define X(kind, id, lane, store, brief, json, help)                                                \
    [FACT_##kind##_##id] = {KIND_##kind, LANE_##lane, STORE_##store, brief, json, help},
    MODEL_FACTS(X)
#undef X
};

const struct attr_desc model_attrs[ATTR_MAX] = {
#define X(kind, id, brief, json, help) [ATTR_##kind##_##id] = {KIND_##kind, brief, json, help},
    MODEL_ATTRS(X)
#undef X
};

#undef B
#undef D

// Of each kind its names, the kind above it, its first and last fact, its first and last attribute.
#define KIND_ROWS(R)                                                                               \
    R(HOST, "host", "host", INVALID, LIBVIRT_UP, RECONNECTS, NAME, LIBRARY_VERSION)                \
    R(CPU, "host_cpu", "cpus", HOST, USER, RATIO, ID, ID)                                          \
    R(NUMA, "numa_node", "numa_nodes", HOST, MEM_TOTAL, FOREIGN, ID, ID)                           \
    R(HUGEPAGE, "hugepage", "hugepages", HOST, TOTAL, SURPLUS, ID, SIZE)                           \
    R(HDISK, "host_disk", "disks", HOST, READS, WEIGHTED_TIME, NAME, NAME)                         \
    R(HNIC, "host_nic", "nics", HOST, RX_BYTES, UP, NAME, NAME)                                    \
    R(POOL, "pool", "pools", HOST, STATE, TIMED_OUT, NAME, NAME)                                   \
    R(NETWORK, "network", "networks", HOST, ACTIVE, AUTOSTART, NAME, BRIDGE)                       \
    R(PROCESS, "process", "processes", HOST, CPU, RESTARTS, NAME, SANDBOX)                         \
    R(LANE, "lane", "lanes", HOST, CALLS, QUARANTINED, NAME, NAME)                                 \
    R(CERT, "certificate", "certificates", HOST, NOT_AFTER, NOT_AFTER, PATH, PATH)                 \
    R(RULES, "rule_group", "rule_groups", HOST, ITERATIONS, LAST, ID, FILE)                        \
    R(RECEIVER, "receiver", "receivers", HOST, SENT, OLDEST_AGE, NAME, NAME)                       \
    R(HMISS, "host_unavailable", "unavailable", HOST, ONE, ONE, WHAT, REASON)                      \
    R(VM, "vm", "vms", INVALID, STATE, TX_RATE, UUID, NOVA_ROOT_ID)                                \
    R(VCPU, "vcpu", "vcpus", VM, RUN, WAIT_RATIO, ID, PROCESS_STATE)                               \
    R(DISK, "disk", "disks", VM, READ_BYTES, FLUSH_LATENCY, TARGET, DISCARD)                       \
    R(NIC, "nic", "nics", VM, RX_BYTES, TX_RATE, TARGET, VIRTUAL_INTERFACE)                        \
    R(FS, "filesystem", "filesystems", VM, TOTAL, USED, MOUNTPOINT, TYPE)                          \
    R(PERF, "perf_event", "perf_events", VM, COUNT, COUNT, EVENT, EVENT)                           \
    R(EVENT, "event", "events", VM, COUNT, COUNT, NAME, NAME)                                      \
    R(MISS, "unavailable", "unavailable", VM, ONE, ONE, WHAT, REASON)                              \
    R(LABEL, "label", "labels", VM, ONE, ONE, NAME, VALUE)

const struct kind_desc model_kinds[KIND_MAX] = {
#define R(kind, text, list, parent, fact, last_fact, attr, last_attr)                              \
    [KIND_##kind] = {text,                                                                         \
                     list,                                                                         \
                     KIND_##parent,                                                                \
                     FACT_##kind##_##fact,                                                         \
                     FACT_##kind##_##last_fact - FACT_##kind##_##fact + 1,                         \
                     ATTR_##kind##_##attr,                                                         \
                     ATTR_##kind##_##last_attr - ATTR_##kind##_##attr + 1},
    KIND_ROWS(R)
#undef R
};

// An object has room for what lies between: a row before the first or behind the last would be
// written beside it.
#define R(kind, text, list, parent, fact, last_fact, attr, last_attr)                              \
    +FACT_##kind##_##last_fact - FACT_##kind##_##fact + 1
_Static_assert(0 KIND_ROWS(R) == FACT_MAX, "facts that lie outside of their kind's first and last");
#undef R
#define R(kind, text, list, parent, fact, last_fact, attr, last_attr)                              \
    +ATTR_##kind##_##last_attr - ATTR_##kind##_##attr + 1
_Static_assert(0 KIND_ROWS(R) == ATTR_MAX,
               "attributes that lie outside of their kind's first and last");
#undef R

#define TK SET_TINKOFF
#define IX SET_INOVEX
#define VH SET_VHERD

#define M(name, type, sets, kind, fact, help, ...)                                                 \
    {                                                                                              \
        name, METRIC_##type, sets, KIND_##kind, FACT_##kind##_##fact, ATTR_INVALID, false, help,   \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define MISNAMED(name, type, sets, kind, fact, help, ...)                                          \
    {                                                                                              \
        name, METRIC_##type, sets, KIND_##kind, FACT_##kind##_##fact, ATTR_INVALID, true, help,    \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define INFO(name, sets, kind, needs, help, ...)                                                   \
    {                                                                                              \
        name, METRIC_GAUGE, sets, KIND_##kind, FACT_INVALID, ATTR_##needs, false, help,            \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#define L(label, attr)                                                                             \
    {                                                                                              \
        label, ATTR_##attr, NULL                                                                   \
    }
#define C(label, constant)                                                                         \
    {                                                                                              \
        label, ATTR_INVALID, constant                                                              \
    }
#define DOM L("domain", VM_NAME)
#define DOM_VCPU DOM, L("vcpu", VCPU_ID)
#define DOM_DISK DOM, L("target_device", DISK_TARGET)
#define GROUP L("rule_group", RULES_NAME), L("file", RULES_FILE)
#define DOM_NIC DOM, L("target_device", NIC_TARGET)

// Where help is NULL, the fact's own text stands.
const struct metric_desc model_metrics[] = {
    // Names of Tinkoff's libvirt-exporter and inovex' prometheus-libvirt-exporter.
    M("libvirt_up", GAUGE, TK | IX | VH, HOST, LIBVIRT_UP, NULL, {0}),
    INFO("libvirt_versions_info", TK, HOST, HOST_LIBRARY_VERSION,
         "Versions of the virtualisation components.",
         L("hypervisor_running", HOST_HYPERVISOR_VERSION),
         L("libvirtd_running", HOST_LIBVIRTD_VERSION), L("libvirt_library", HOST_LIBRARY_VERSION)),
    M("libvirt_domains", GAUGE, IX, HOST, DOMAINS, NULL, {0}),
    M("libvirt_pool_info_capacity_bytes", GAUGE, TK, POOL, CAPACITY, NULL, L("pool", POOL_NAME)),
    M("libvirt_pool_info_allocation_bytes", GAUGE, TK, POOL, ALLOCATION, NULL,
      L("pool", POOL_NAME)),
    M("libvirt_pool_info_available_bytes", GAUGE, TK, POOL, AVAILABLE, NULL, L("pool", POOL_NAME)),
    M("libvirt_storage_pool_capacity_bytes", GAUGE, IX, POOL, CAPACITY, NULL,
      L("storage_pool", POOL_NAME)),
    M("libvirt_storage_pool_allocation_bytes", GAUGE, IX, POOL, ALLOCATION, NULL,
      L("storage_pool", POOL_NAME)),
    M("libvirt_storage_pool_available_bytes", GAUGE, IX, POOL, AVAILABLE, NULL,
      L("storage_pool", POOL_NAME)),
    M("libvirt_storage_pool_state", GAUGE, IX, POOL, STATE, NULL, L("storage_pool", POOL_NAME)),
    M("libvirt_storage_pool_timed_out", GAUGE, IX, POOL, TIMED_OUT, NULL,
      L("storage_pool", POOL_NAME)),
    INFO("libvirt_domain_info_meta", TK, VM, VM_UUID,
         "Identity of the domain, and of its OpenStack instance.", DOM, L("uuid", VM_UUID),
         L("instance_name", VM_NOVA_NAME), L("flavor", VM_NOVA_FLAVOR),
         L("user_name", VM_NOVA_USER), L("user_uuid", VM_NOVA_USER_ID),
         L("project_name", VM_NOVA_PROJECT), L("project_uuid", VM_NOVA_PROJECT_ID),
         L("root_type", VM_NOVA_ROOT_TYPE), L("root_uuid", VM_NOVA_ROOT_ID)),
    INFO("libvirt_domain_info", IX, VM, VM_OS_TYPE, "Operating system type of the domain.", DOM,
         L("os_type", VM_OS_TYPE), L("os_type_arch", VM_OS_ARCH),
         L("os_type_machine", VM_OS_MACHINE)),
    INFO("libvirt_domain_openstack_info", IX, VM, VM_NOVA_NAME, "The domain's OpenStack instance.",
         DOM, L("instance_name", VM_NOVA_NAME), L("instance_id", VM_UUID),
         L("flavor_name", VM_NOVA_FLAVOR), L("user_name", VM_NOVA_USER),
         L("user_id", VM_NOVA_USER_ID), L("project_name", VM_NOVA_PROJECT),
         L("project_id", VM_NOVA_PROJECT_ID)),
    M("libvirt_domain_info_maximum_memory_bytes", GAUGE, TK | IX, VM, MEM_MAX, NULL, DOM),
    M("libvirt_domain_info_memory_usage_bytes", GAUGE, TK | IX, VM, MEM_CURRENT, NULL, DOM),
    M("libvirt_domain_info_virtual_cpus", GAUGE, TK | IX, VM, VCPUS, NULL, DOM),
    M("libvirt_domain_info_cpu_time_seconds_total", COUNTER, TK | IX, VM, CPU, NULL, DOM),
    M("libvirt_domain_info_vstate", GAUGE, TK, VM, STATE, NULL, DOM),
    M("libvirt_domain_info_state", GAUGE, IX, VM, STATE, NULL, DOM, L("state_desc", VM_STATE_DESC)),
    M("libvirt_domain_timed_out", GAUGE, IX, VM, TIMED_OUT, NULL, DOM),
    M("libvirt_domain_job_info_type", GAUGE, IX, VM, JOB_TYPE, NULL, DOM),
    M("libvirt_domain_job_info_time_elapsed_seconds", GAUGE, IX, VM, JOB_ELAPSED, NULL, DOM),
    M("libvirt_domain_job_info_time_remaining_seconds", GAUGE, IX, VM, JOB_REMAINING, NULL, DOM),
    M("libvirt_domain_job_info_data_total_bytes", GAUGE, IX, VM, JOB_DATA_TOTAL, NULL, DOM),
    M("libvirt_domain_job_info_data_processed_bytes", GAUGE, IX, VM, JOB_DATA_PROCESSED, NULL, DOM),
    M("libvirt_domain_job_info_data_remaining_bytes", GAUGE, IX, VM, JOB_DATA_REMAINING, NULL, DOM),
    M("libvirt_domain_job_info_memory_total_bytes", GAUGE, IX, VM, JOB_MEM_TOTAL, NULL, DOM),
    M("libvirt_domain_job_info_memory_processed_bytes", GAUGE, IX, VM, JOB_MEM_PROCESSED, NULL,
      DOM),
    M("libvirt_domain_job_info_memory_remaining_bytes", GAUGE, IX, VM, JOB_MEM_REMAINING, NULL,
      DOM),
    M("libvirt_domain_job_info_file_total_bytes", GAUGE, IX, VM, JOB_FILE_TOTAL, NULL, DOM),
    M("libvirt_domain_job_info_file_processed_bytes", GAUGE, IX, VM, JOB_FILE_PROCESSED, NULL, DOM),
    M("libvirt_domain_job_info_file_remaining_bytes", GAUGE, IX, VM, JOB_FILE_REMAINING, NULL, DOM),
    M("libvirt_domain_vcpu_time_seconds_total", COUNTER, TK | IX, VCPU, RUN, NULL, DOM_VCPU),
    M("libvirt_domain_vcpu_delay_seconds_total", COUNTER, TK | IX, VCPU, WAIT, NULL, DOM_VCPU),
    M("libvirt_domain_vcpu_wait_seconds_total", COUNTER, TK | IX, VCPU, WAIT,
      "Time the vCPU was ready but waited on a run queue; the same as the delay.", DOM_VCPU),
    M("libvirt_domain_vcpu_state", GAUGE, TK | IX, VCPU, STATE, NULL, DOM_VCPU),
    M("libvirt_domain_vcpu_cpu", GAUGE, TK, VCPU, CPU, NULL, DOM_VCPU),
    M("libvirt_domain_vcpu_current", GAUGE, IX, VM, VCPUS, NULL, DOM),
    M("libvirt_domain_vcpu_maximum", GAUGE, IX, VM, VCPUS_MAX, NULL, DOM),
    M("libvirt_domain_memory_stats_major_fault_total", COUNTER, TK | IX, VM, GUEST_MAJOR_FAULTS,
      NULL, DOM),
    M("libvirt_domain_memory_stats_minor_fault_total", COUNTER, TK | IX, VM, GUEST_MINOR_FAULTS,
      NULL, DOM),
    M("libvirt_domain_memory_stats_unused_bytes", GAUGE, TK | IX, VM, GUEST_UNUSED, NULL, DOM),
    M("libvirt_domain_memory_stats_available_bytes", GAUGE, TK | IX, VM, GUEST_AVAILABLE, NULL,
      DOM),
    M("libvirt_domain_memory_stats_usable_bytes", GAUGE, TK | IX, VM, GUEST_USABLE, NULL, DOM),
    M("libvirt_domain_memory_stats_used_percent", GAUGE, TK | IX, VM, USED_PERCENT, NULL, DOM),
    M("libvirt_domain_memory_stats_rss_bytes", GAUGE, TK | IX, VM, BALLOON_RSS, NULL, DOM),
    M("libvirt_domain_memory_stats_actual_balloon_bytes", GAUGE, TK, VM, BALLOON_CURRENT, NULL,
      DOM),
    M("libvirt_domain_memory_stats_current_balloon_bytes", GAUGE, IX, VM, BALLOON_CURRENT, NULL,
      DOM),
    M("libvirt_domain_memory_stats_maximum_bytes", GAUGE, IX, VM, BALLOON_MAXIMUM, NULL, DOM),
    M("libvirt_domain_memory_stats_disk_cache_bytes", GAUGE, TK, VM, GUEST_DISK_CACHES, NULL, DOM),
    M("libvirt_domain_memory_stats_disk_caches_bytes", GAUGE, IX, VM, GUEST_DISK_CACHES, NULL, DOM),
    M("libvirt_domain_memory_stats_swap_in_bytes", GAUGE, IX, VM, GUEST_SWAP_IN, NULL, DOM),
    M("libvirt_domain_memory_stats_swap_out_bytes", GAUGE, IX, VM, GUEST_SWAP_OUT, NULL, DOM),
    MISNAMED("libvirt_domain_memory_stats_hugetlb_pgalloc_total", GAUGE, IX, VM, GUEST_HUGE_ALLOC,
             NULL, DOM),
    MISNAMED("libvirt_domain_memory_stats_hugetlb_pgfail_total", GAUGE, IX, VM, GUEST_HUGE_FAIL,
             NULL, DOM),
    M("libvirt_domain_memory_stats_last_update_timestamp_seconds", GAUGE, IX, VM, BALLOON_UPDATE,
      NULL, DOM),
    INFO("libvirt_domain_block_meta", TK, DISK, DISK_TARGET, "What stands behind the disk.",
         DOM_DISK, L("source_file", DISK_SOURCE), L("serial", DISK_SERIAL), L("bus", DISK_BUS),
         L("disk_type", DISK_TYPE), L("driver_type", DISK_FORMAT), L("cache", DISK_CACHE),
         L("discard", DISK_DISCARD)),
    INFO("libvirt_domain_block_stats_info", IX, DISK, DISK_TARGET, "What stands behind the disk.",
         DOM, L("disk_type", DISK_TYPE), L("target_bus", DISK_BUS), L("driver_name", DISK_DRIVER),
         L("driver_type", DISK_FORMAT), L("driver_cache", DISK_CACHE),
         L("driver_discard", DISK_DISCARD), L("source_file", DISK_SOURCE),
         L("source_protocol", DISK_SOURCE_PROTOCOL), L("target_device", DISK_TARGET),
         L("serial", DISK_SERIAL)),
    M("libvirt_domain_block_stats_read_bytes_total", COUNTER, TK | IX, DISK, READ_BYTES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_read_requests_total", COUNTER, TK | IX, DISK, READS, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_read_time_seconds_total", COUNTER, TK | IX, DISK, READ_TIME, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_write_bytes_total", COUNTER, TK | IX, DISK, WRITE_BYTES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_write_requests_total", COUNTER, TK | IX, DISK, WRITES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_write_time_seconds_total", COUNTER, TK | IX, DISK, WRITE_TIME,
      NULL, DOM_DISK),
    M("libvirt_domain_block_stats_flush_requests_total", COUNTER, TK | IX, DISK, FLUSHES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_flush_time_seconds_total", COUNTER, TK | IX, DISK, FLUSH_TIME,
      NULL, DOM_DISK),
    M("libvirt_domain_block_stats_allocation", GAUGE, TK, DISK, ALLOCATION, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_capacity_bytes", GAUGE, TK | IX, DISK, CAPACITY, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_physicalsize_bytes", GAUGE, TK, DISK, PHYSICAL, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_total_bytes", GAUGE, TK, DISK, LIMIT_TOTAL_BYTES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_limit_read_bytes", GAUGE, TK, DISK, LIMIT_READ_BYTES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_limit_write_bytes", GAUGE, TK, DISK, LIMIT_WRITE_BYTES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_limit_total_requests", GAUGE, TK, DISK, LIMIT_TOTAL_REQS, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_limit_read_requests", GAUGE, TK, DISK, LIMIT_READ_REQS, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_limit_write_requests", GAUGE, TK, DISK, LIMIT_WRITE_REQS, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_total_bytes", GAUGE, TK, DISK, BURST_TOTAL_BYTES,
      NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_read_bytes", GAUGE, TK, DISK, BURST_READ_BYTES, NULL,
      DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_write_bytes", GAUGE, TK, DISK, BURST_WRITE_BYTES,
      NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_total_requests", GAUGE, TK, DISK, BURST_TOTAL_REQS,
      NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_read_requests", GAUGE, TK, DISK, BURST_READ_REQS,
      NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_write_requests", GAUGE, TK, DISK, BURST_WRITE_REQS,
      NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_total_bytes_length_seconds", GAUGE, TK, DISK,
      BURST_TOTAL_BYTES_LEN, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_read_bytes_length_seconds", GAUGE, TK, DISK,
      BURST_READ_BYTES_LEN, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_write_bytes_length_seconds", GAUGE, TK, DISK,
      BURST_WRITE_BYTES_LEN, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_length_total_requests_seconds", GAUGE, TK, DISK,
      BURST_TOTAL_REQS_LEN, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_length_read_requests_seconds", GAUGE, TK, DISK,
      BURST_READ_REQS_LEN, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_limit_burst_length_write_requests_seconds", GAUGE, TK, DISK,
      BURST_WRITE_REQS_LEN, NULL, DOM_DISK),
    M("libvirt_domain_block_stats_size_iops_bytes", GAUGE, TK, DISK, SIZE_IOPS, NULL, DOM_DISK),
    INFO("libvirt_domain_interface_meta", TK, NIC, NIC_TARGET,
         "What the interface is plugged into.", DOM, L("source_bridge", NIC_BRIDGE),
         L("target_device", NIC_TARGET), L("virtual_interface", NIC_VIRTUAL_INTERFACE)),
    INFO("libvirt_domain_interface_stats_info", IX, NIC, NIC_TARGET,
         "What the interface is plugged into.", DOM, L("interface_type", NIC_TYPE),
         L("source_bridge", NIC_BRIDGE), L("target_device", NIC_TARGET), L("mac_address", NIC_MAC),
         L("model_type", NIC_MODEL), L("mtu_size", NIC_MTU)),
    M("libvirt_domain_interface_stats_receive_bytes_total", COUNTER, TK | IX, NIC, RX_BYTES, NULL,
      DOM_NIC),
    M("libvirt_domain_interface_stats_receive_packets_total", COUNTER, TK | IX, NIC, RX_PACKETS,
      NULL, DOM_NIC),
    M("libvirt_domain_interface_stats_receive_errors_total", COUNTER, TK | IX, NIC, RX_ERRORS, NULL,
      DOM_NIC),
    M("libvirt_domain_interface_stats_receive_drops_total", COUNTER, TK | IX, NIC, RX_DROPS, NULL,
      DOM_NIC),
    M("libvirt_domain_interface_stats_transmit_bytes_total", COUNTER, TK | IX, NIC, TX_BYTES, NULL,
      DOM_NIC),
    M("libvirt_domain_interface_stats_transmit_packets_total", COUNTER, TK | IX, NIC, TX_PACKETS,
      NULL, DOM_NIC),
    M("libvirt_domain_interface_stats_transmit_errors_total", COUNTER, TK | IX, NIC, TX_ERRORS,
      NULL, DOM_NIC),
    M("libvirt_domain_interface_stats_transmit_drops_total", COUNTER, TK | IX, NIC, TX_DROPS, NULL,
      DOM_NIC),

    // What those lack.
    INFO("vherd_build_info", VH, HOST, HOST_VERSION, "Version of vherd.",
         L("version", HOST_VERSION)),
    M("vherd_libvirt_up", GAUGE, VH, HOST, LIBVIRT_UP, NULL, L("status", HOST_LIBVIRT_STATUS)),
    M("vherd_libvirt_reconnects_total", COUNTER, VH, HOST, RECONNECTS, NULL, {0}),
    M("vherd_domains_running", GAUGE, VH, HOST, DOMAINS_RUNNING, NULL, {0}),
    M("vherd_samples_total", COUNTER, VH, HOST, TICKS, NULL, {0}),
    M("vherd_samples_missed_total", COUNTER, VH, HOST, TICKS_MISSED, NULL, {0}),
    M("vherd_sample_lateness_seconds", GAUGE, VH, HOST, TICK_LATENESS, NULL, {0}),
    M("vherd_sample_duration_seconds", GAUGE, VH, HOST, TICK_DURATION, NULL, {0}),
    M("vherd_series", GAUGE, VH, HOST, SERIES, NULL, {0}),
    M("vherd_store_blocks_set_aside", GAUGE, VH, HOST, STORE_SET_ASIDE, NULL, {0}),
    M("vherd_store_disk_size_bytes", GAUGE, VH, HOST, STORE_DISK_SIZE, NULL, {0}),
    M("vherd_store_disk_free_bytes", GAUGE, VH, HOST, STORE_DISK_FREE, NULL, {0}),
    M("vherd_process_cpu_seconds_total", COUNTER, VH, PROCESS, CPU, NULL,
      L("process", PROCESS_NAME)),
    M("vherd_process_resident_bytes", GAUGE, VH, PROCESS, RSS, NULL, L("process", PROCESS_NAME)),
    M("vherd_process_restarts_total", COUNTER, VH, PROCESS, RESTARTS, NULL,
      L("process", PROCESS_NAME)),
    M("vherd_lane_calls_total", COUNTER, VH, LANE, CALLS, NULL, L("lane", LANE_NAME)),
    M("vherd_lane_spared_total", COUNTER, VH, LANE, SPARED, NULL, L("lane", LANE_NAME)),
    M("vherd_lane_errors_total", COUNTER, VH, LANE, ERRORS, NULL, L("lane", LANE_NAME)),
    M("vherd_lane_timeouts_total", COUNTER, VH, LANE, TIMEOUTS, NULL, L("lane", LANE_NAME)),
    M("vherd_lane_late_answers_total", COUNTER, VH, LANE, LATE, NULL, L("lane", LANE_NAME)),
    M("vherd_lane_calls_in_flight", GAUGE, VH, LANE, IN_FLIGHT, NULL, L("lane", LANE_NAME)),
    M("vherd_lane_calls_written_off", GAUGE, VH, LANE, WRITTEN_OFF, NULL, L("lane", LANE_NAME)),
    M("vherd_lane_quarantined", GAUGE, VH, LANE, QUARANTINED, NULL, L("lane", LANE_NAME)),
    M("vherd_certificate_not_after_time_seconds", GAUGE, VH, CERT, NOT_AFTER, NULL,
      L("path", CERT_PATH)),
    M("vherd_rule_group_iterations_total", COUNTER, VH, RULES, ITERATIONS, NULL, GROUP),
    M("vherd_rule_group_iterations_missed_total", COUNTER, VH, RULES, MISSED, NULL, GROUP),
    M("vherd_rule_group_duration_seconds", GAUGE, VH, RULES, DURATION, NULL, GROUP),
    M("vherd_rule_group_late_seconds", GAUGE, VH, RULES, LATE, NULL, GROUP),
    M("vherd_rule_group_last_evaluation_time_seconds", GAUGE, VH, RULES, LAST, NULL, GROUP),
    M("vherd_rule_evaluation_failures_total", COUNTER, VH, RULES, FAILURES, NULL, GROUP),
    M("vherd_notifications_total", COUNTER, VH, RECEIVER, SENT,
      "Notifications by what became of them; failed ones are tried again.",
      L("receiver", RECEIVER_NAME), C("result", "sent")),
    M("vherd_notifications_total", COUNTER, VH, RECEIVER, FAILED,
      "Notifications by what became of them; failed ones are tried again.",
      L("receiver", RECEIVER_NAME), C("result", "failed")),
    M("vherd_notifications_total", COUNTER, VH, RECEIVER, GIVEN_UP,
      "Notifications by what became of them; failed ones are tried again.",
      L("receiver", RECEIVER_NAME), C("result", "given_up")),
    M("vherd_notifications_queued", GAUGE, VH, RECEIVER, QUEUED, NULL,
      L("receiver", RECEIVER_NAME)),
    M("vherd_notifications_oldest_age_seconds", GAUGE, VH, RECEIVER, OLDEST_AGE, NULL,
      L("receiver", RECEIVER_NAME)),
    M("vherd_unavailable", GAUGE, VH, HMISS, ONE, NULL, C("domain", ""), L("what", HMISS_WHAT),
      L("reason", HMISS_REASON)),
    M("vherd_unavailable", GAUGE, VH, MISS, ONE, NULL, DOM, L("what", MISS_WHAT),
      L("reason", MISS_REASON)),
    M("vherd_host_boot_time_seconds", GAUGE, VH, HOST, BOOT_TIME, NULL, {0}),
    M("vherd_host_cpus", GAUGE, VH, HOST, CPUS, NULL, {0}),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, USER,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "user")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, NICE,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "nice")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, SYSTEM,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "system")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, IDLE,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "idle")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, IOWAIT,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "iowait")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, IRQ,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID), C("mode", "irq")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, SOFTIRQ,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "softirq")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, STEAL,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "steal")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, GUEST,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "guest")),
    M("vherd_host_cpu_seconds_total", COUNTER, VH, CPU, GUEST_NICE,
      "Time of each host CPU by mode; guests are not in user.", L("cpu", CPU_ID),
      C("mode", "guest_nice")),
    M("vherd_host_load1", GAUGE, VH, HOST, LOAD1, NULL, {0}),
    M("vherd_host_load5", GAUGE, VH, HOST, LOAD5, NULL, {0}),
    M("vherd_host_load15", GAUGE, VH, HOST, LOAD15, NULL, {0}),
    M("vherd_host_procs_running", GAUGE, VH, HOST, PROCS_RUNNING, NULL, {0}),
    M("vherd_host_procs_blocked", GAUGE, VH, HOST, PROCS_BLOCKED, NULL, {0}),
    M("vherd_host_context_switches_total", COUNTER, VH, HOST, CONTEXT_SWITCHES, NULL, {0}),
    M("vherd_host_forks_total", COUNTER, VH, HOST, FORKS, NULL, {0}),
    M("vherd_host_memory_total_bytes", GAUGE, VH, HOST, MEM_TOTAL, NULL, {0}),
    M("vherd_host_memory_free_bytes", GAUGE, VH, HOST, MEM_FREE, NULL, {0}),
    M("vherd_host_memory_available_bytes", GAUGE, VH, HOST, MEM_AVAILABLE, NULL, {0}),
    M("vherd_host_memory_buffers_bytes", GAUGE, VH, HOST, MEM_BUFFERS, NULL, {0}),
    M("vherd_host_memory_cached_bytes", GAUGE, VH, HOST, MEM_CACHED, NULL, {0}),
    M("vherd_host_memory_dirty_bytes", GAUGE, VH, HOST, MEM_DIRTY, NULL, {0}),
    M("vherd_host_memory_shmem_bytes", GAUGE, VH, HOST, MEM_SHMEM, NULL, {0}),
    M("vherd_host_memory_slab_bytes", GAUGE, VH, HOST, MEM_SLAB, NULL, {0}),
    M("vherd_host_memory_anon_hugepages_bytes", GAUGE, VH, HOST, MEM_ANON_HUGE, NULL, {0}),
    M("vherd_host_memory_committed_bytes", GAUGE, VH, HOST, MEM_COMMITTED, NULL, {0}),
    M("vherd_host_swap_total_bytes", GAUGE, VH, HOST, SWAP_TOTAL, NULL, {0}),
    M("vherd_host_swap_free_bytes", GAUGE, VH, HOST, SWAP_FREE, NULL, {0}),
    M("vherd_host_swap_in_pages_total", COUNTER, VH, HOST, SWAP_IN, NULL, {0}),
    M("vherd_host_swap_out_pages_total", COUNTER, VH, HOST, SWAP_OUT, NULL, {0}),
    M("vherd_host_oom_kills_total", COUNTER, VH, HOST, OOM_KILLS, NULL, {0}),
    M("vherd_host_ksm_run", GAUGE, VH, HOST, KSM_RUN, NULL, {0}),
    M("vherd_host_ksm_pages_shared", GAUGE, VH, HOST, KSM_SHARED, NULL, {0}),
    M("vherd_host_ksm_pages_sharing", GAUGE, VH, HOST, KSM_SHARING, NULL, {0}),
    M("vherd_host_ksm_pages_unshared", GAUGE, VH, HOST, KSM_UNSHARED, NULL, {0}),
    M("vherd_host_ksm_pages_volatile", GAUGE, VH, HOST, KSM_VOLATILE, NULL, {0}),
    M("vherd_host_ksm_full_scans_total", COUNTER, VH, HOST, KSM_SCANS, NULL, {0}),
    M("vherd_host_pressure_seconds_total", COUNTER, VH, HOST, PSI_CPU_SOME,
      "Time some or all tasks of the host were stalled for a resource (PSI).", C("resource", "cpu"),
      C("stall", "some")),
    M("vherd_host_pressure_seconds_total", COUNTER, VH, HOST, PSI_CPU_FULL,
      "Time some or all tasks of the host were stalled for a resource (PSI).", C("resource", "cpu"),
      C("stall", "full")),
    M("vherd_host_pressure_seconds_total", COUNTER, VH, HOST, PSI_MEM_SOME,
      "Time some or all tasks of the host were stalled for a resource (PSI).",
      C("resource", "memory"), C("stall", "some")),
    M("vherd_host_pressure_seconds_total", COUNTER, VH, HOST, PSI_MEM_FULL,
      "Time some or all tasks of the host were stalled for a resource (PSI).",
      C("resource", "memory"), C("stall", "full")),
    M("vherd_host_pressure_seconds_total", COUNTER, VH, HOST, PSI_IO_SOME,
      "Time some or all tasks of the host were stalled for a resource (PSI).", C("resource", "io"),
      C("stall", "some")),
    M("vherd_host_pressure_seconds_total", COUNTER, VH, HOST, PSI_IO_FULL,
      "Time some or all tasks of the host were stalled for a resource (PSI).", C("resource", "io"),
      C("stall", "full")),
    M("vherd_host_kernel_warnings_total", COUNTER, VH, HOST, KMSG_MCE,
      "Warnings in the kernel's log since vherd started.", C("kind", "mce")),
    M("vherd_host_kernel_warnings_total", COUNTER, VH, HOST, KMSG_SOFT_LOCKUP,
      "Warnings in the kernel's log since vherd started.", C("kind", "soft_lockup")),
    M("vherd_host_kernel_warnings_total", COUNTER, VH, HOST, KMSG_HARD_LOCKUP,
      "Warnings in the kernel's log since vherd started.", C("kind", "hard_lockup")),
    M("vherd_host_kernel_warnings_total", COUNTER, VH, HOST, KMSG_HUNG_TASK,
      "Warnings in the kernel's log since vherd started.", C("kind", "hung_task")),
    M("vherd_host_kernel_warnings_total", COUNTER, VH, HOST, KMSG_OOM_KILL,
      "Warnings in the kernel's log since vherd started.", C("kind", "oom_kill")),
    M("vherd_host_kernel_warnings_total", COUNTER, VH, HOST, KMSG_IO_ERROR,
      "Warnings in the kernel's log since vherd started.", C("kind", "io_error")),
    M("vherd_host_kernel_warnings_total", COUNTER, VH, HOST, KMSG_KVM,
      "Warnings in the kernel's log since vherd started.", C("kind", "kvm")),
    M("vherd_host_numa_memory_total_bytes", GAUGE, VH, NUMA, MEM_TOTAL, NULL, L("node", NUMA_ID)),
    M("vherd_host_numa_memory_free_bytes", GAUGE, VH, NUMA, MEM_FREE, NULL, L("node", NUMA_ID)),
    M("vherd_host_numa_hit_pages_total", COUNTER, VH, NUMA, HIT, NULL, L("node", NUMA_ID)),
    M("vherd_host_numa_miss_pages_total", COUNTER, VH, NUMA, MISS, NULL, L("node", NUMA_ID)),
    M("vherd_host_numa_foreign_pages_total", COUNTER, VH, NUMA, FOREIGN, NULL, L("node", NUMA_ID)),
    M("vherd_host_hugepages", GAUGE, VH, HUGEPAGE, TOTAL, NULL, L("node", HUGEPAGE_NODE),
      L("page_size_bytes", HUGEPAGE_SIZE)),
    M("vherd_host_hugepages_free", GAUGE, VH, HUGEPAGE, FREE, NULL, L("node", HUGEPAGE_NODE),
      L("page_size_bytes", HUGEPAGE_SIZE)),
    M("vherd_host_hugepages_surplus", GAUGE, VH, HUGEPAGE, SURPLUS, NULL, L("node", HUGEPAGE_NODE),
      L("page_size_bytes", HUGEPAGE_SIZE)),
    M("vherd_host_disk_reads_total", COUNTER, VH, HDISK, READS, NULL, L("device", HDISK_NAME)),
    M("vherd_host_disk_read_bytes_total", COUNTER, VH, HDISK, READ_BYTES, NULL,
      L("device", HDISK_NAME)),
    M("vherd_host_disk_read_time_seconds_total", COUNTER, VH, HDISK, READ_TIME, NULL,
      L("device", HDISK_NAME)),
    M("vherd_host_disk_writes_total", COUNTER, VH, HDISK, WRITES, NULL, L("device", HDISK_NAME)),
    M("vherd_host_disk_written_bytes_total", COUNTER, VH, HDISK, WRITE_BYTES, NULL,
      L("device", HDISK_NAME)),
    M("vherd_host_disk_write_time_seconds_total", COUNTER, VH, HDISK, WRITE_TIME, NULL,
      L("device", HDISK_NAME)),
    M("vherd_host_disk_io_time_seconds_total", COUNTER, VH, HDISK, IO_TIME, NULL,
      L("device", HDISK_NAME)),
    M("vherd_host_disk_io_weighted_time_seconds_total", COUNTER, VH, HDISK, WEIGHTED_TIME, NULL,
      L("device", HDISK_NAME)),
    M("vherd_host_disk_in_flight", GAUGE, VH, HDISK, IN_FLIGHT, NULL, L("device", HDISK_NAME)),
    M("vherd_host_network_receive_bytes_total", COUNTER, VH, HNIC, RX_BYTES, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_receive_packets_total", COUNTER, VH, HNIC, RX_PACKETS, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_receive_errors_total", COUNTER, VH, HNIC, RX_ERRORS, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_receive_drops_total", COUNTER, VH, HNIC, RX_DROPS, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_transmit_bytes_total", COUNTER, VH, HNIC, TX_BYTES, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_transmit_packets_total", COUNTER, VH, HNIC, TX_PACKETS, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_transmit_errors_total", COUNTER, VH, HNIC, TX_ERRORS, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_transmit_drops_total", COUNTER, VH, HNIC, TX_DROPS, NULL,
      L("device", HNIC_NAME)),
    M("vherd_host_network_up", GAUGE, VH, HNIC, UP, NULL, L("device", HNIC_NAME)),
    INFO("vherd_network_info", VH, NETWORK, NETWORK_NAME, "A libvirt network and its bridge.",
         L("network", NETWORK_NAME), L("bridge", NETWORK_BRIDGE)),
    M("vherd_network_active", GAUGE, VH, NETWORK, ACTIVE, NULL, L("network", NETWORK_NAME)),
    M("vherd_network_autostart", GAUGE, VH, NETWORK, AUTOSTART, NULL, L("network", NETWORK_NAME)),
    M("vherd_pool_state", GAUGE, VH, POOL, STATE, NULL, L("pool", POOL_NAME)),
    M("vherd_pool_timed_out", GAUGE, VH, POOL, TIMED_OUT, NULL, L("pool", POOL_NAME)),
    INFO("vherd_vm_info", VH, VM, VM_UUID, "Identity of a VM.", DOM, L("uuid", VM_UUID),
         L("title", VM_TITLE), L("domain_type", VM_DOMAIN_TYPE), L("arch", VM_OS_ARCH),
         L("machine", VM_OS_MACHINE)),
    INFO("vherd_vm_guest_info", VH, VM, VM_GUEST_OS, "What the guest agent says of the guest.", DOM,
         L("hostname", VM_GUEST_HOSTNAME), L("os", VM_GUEST_OS), L("os_id", VM_GUEST_OS_ID),
         L("kernel", VM_GUEST_KERNEL), L("timezone", VM_GUEST_TIMEZONE)),
    M("vherd_vm_state", GAUGE, VH, VM, STATE, NULL, DOM, L("state", VM_STATE)),
    M("vherd_vm_state_reason", GAUGE, VH, VM, REASON, NULL, DOM, L("state", VM_STATE),
      L("reason", VM_REASON)),
    M("vherd_vm_persistent", GAUGE, VH, VM, PERSISTENT, NULL, DOM),
    M("vherd_vm_autostart", GAUGE, VH, VM, AUTOSTART, NULL, DOM),
    M("vherd_vm_snapshots", GAUGE, VH, VM, SNAPSHOTS, NULL, DOM),
    M("vherd_vm_snapshot_oldest_time_seconds", GAUGE, VH, VM, SNAPSHOT_OLDEST, NULL, DOM),
    M("vherd_vm_snapshot_newest_time_seconds", GAUGE, VH, VM, SNAPSHOT_NEWEST, NULL, DOM),
    M("vherd_vm_config_differs", GAUGE, VH, VM, CONFIG_DIFFERS, NULL, DOM),
    M("vherd_vm_start_time_seconds", GAUGE, VH, VM, START_TIME, NULL, DOM),
    M("vherd_vm_process_threads", GAUGE, VH, VM, THREADS, NULL, DOM, L("state", VM_PROCESS_STATE)),
    M("vherd_vm_stalled", GAUGE, VH, VM, STALLED, NULL, DOM),
    M("vherd_vm_timed_out", GAUGE, VH, VM, TIMED_OUT, NULL, DOM),
    M("vherd_vm_libvirt_age_seconds", GAUGE, VH, VM, LIBVIRT_AGE, NULL, DOM),
    M("vherd_vm_balloon_period_seconds", GAUGE, VH, VM, BALLOON_PERIOD, NULL, DOM),
    M("vherd_vm_emulator_run_seconds_total", COUNTER, VH, VM, EMULATOR_RUN, NULL, DOM),
    M("vherd_vm_emulator_wait_seconds_total", COUNTER, VH, VM, EMULATOR_WAIT, NULL, DOM),
    M("vherd_vm_iothread_run_seconds_total", COUNTER, VH, VM, IOTHREAD_RUN, NULL, DOM),
    M("vherd_vm_iothread_wait_seconds_total", COUNTER, VH, VM, IOTHREAD_WAIT, NULL, DOM),
    M("vherd_vm_vhost_run_seconds_total", COUNTER, VH, VM, VHOST_RUN, NULL, DOM),
    M("vherd_vm_vhost_wait_seconds_total", COUNTER, VH, VM, VHOST_WAIT, NULL, DOM),
    M("vherd_vm_resident_bytes", GAUGE, VH, VM, RSS, NULL, DOM),
    M("vherd_vm_proportional_bytes", GAUGE, VH, VM, PSS, NULL, DOM),
    M("vherd_vm_proportional_age_seconds", GAUGE, VH, VM, PSS_AGE, NULL, DOM),
    M("vherd_vm_swapped_bytes", GAUGE, VH, VM, SWAP, NULL, DOM),
    M("vherd_vm_process_major_faults_total", COUNTER, VH, VM, MAJOR_FAULTS, NULL, DOM),
    M("vherd_vm_cgroup_periods_total", COUNTER, VH, VM, CG_PERIODS, NULL, DOM),
    M("vherd_vm_cgroup_throttled_periods_total", COUNTER, VH, VM, CG_THROTTLED_PERIODS, NULL, DOM),
    M("vherd_vm_cgroup_throttled_seconds_total", COUNTER, VH, VM, CG_THROTTLED, NULL, DOM),
    M("vherd_vm_cgroup_memory_bytes", GAUGE, VH, VM, CG_MEM_CURRENT, NULL, DOM),
    M("vherd_vm_cgroup_memory_events_total", COUNTER, VH, VM, CG_MEM_HIGH,
      "Memory events of the VM's cgroup.", DOM, C("event", "high")),
    M("vherd_vm_cgroup_memory_events_total", COUNTER, VH, VM, CG_MEM_MAX,
      "Memory events of the VM's cgroup.", DOM, C("event", "max")),
    M("vherd_vm_cgroup_memory_events_total", COUNTER, VH, VM, CG_OOM,
      "Memory events of the VM's cgroup.", DOM, C("event", "oom")),
    M("vherd_vm_cgroup_memory_events_total", COUNTER, VH, VM, CG_OOM_KILL,
      "Memory events of the VM's cgroup.", DOM, C("event", "oom_kill")),
    M("vherd_vm_pressure_seconds_total", COUNTER, VH, VM, PSI_CPU_SOME,
      "Time some or all tasks of the VM were stalled for a resource (PSI).", DOM,
      C("resource", "cpu"), C("stall", "some")),
    M("vherd_vm_pressure_seconds_total", COUNTER, VH, VM, PSI_CPU_FULL,
      "Time some or all tasks of the VM were stalled for a resource (PSI).", DOM,
      C("resource", "cpu"), C("stall", "full")),
    M("vherd_vm_pressure_seconds_total", COUNTER, VH, VM, PSI_MEM_SOME,
      "Time some or all tasks of the VM were stalled for a resource (PSI).", DOM,
      C("resource", "memory"), C("stall", "some")),
    M("vherd_vm_pressure_seconds_total", COUNTER, VH, VM, PSI_MEM_FULL,
      "Time some or all tasks of the VM were stalled for a resource (PSI).", DOM,
      C("resource", "memory"), C("stall", "full")),
    M("vherd_vm_pressure_seconds_total", COUNTER, VH, VM, PSI_IO_SOME,
      "Time some or all tasks of the VM were stalled for a resource (PSI).", DOM,
      C("resource", "io"), C("stall", "some")),
    M("vherd_vm_pressure_seconds_total", COUNTER, VH, VM, PSI_IO_FULL,
      "Time some or all tasks of the VM were stalled for a resource (PSI).", DOM,
      C("resource", "io"), C("stall", "full")),
    M("vherd_vm_guest_time_offset_seconds", GAUGE, VH, VM, TIME_OFFSET, NULL, DOM),
    M("vherd_vm_guest_users", GAUGE, VH, VM, USERS, NULL, DOM),
    M("vherd_vm_agent_connected", GAUGE, VH, VM, AGENT_CONNECTED, NULL, DOM),
    M("vherd_vm_agent_up", GAUGE, VH, VM, AGENT_UP, NULL, DOM),
    M("vherd_vm_dirty_rate_bytes", GAUGE, VH, VM, DIRTY_RATE,
      "Last measured dirty page rate, bytes per second.", DOM),
    INFO("vherd_vcpu_info", VH, VCPU, VCPU_PROCESS_STATE, "State letter of the vCPU's thread.",
         DOM_VCPU, L("process_state", VCPU_PROCESS_STATE)),
    M("vherd_vcpu_timeslices_total", COUNTER, VH, VCPU, SLICES, NULL, DOM_VCPU),
    M("vherd_vcpu_context_switches_total", COUNTER, VH, VCPU, SWITCHES_VOLUNTARY,
      "Context switches of the vCPU's thread.", DOM_VCPU, C("kind", "voluntary")),
    M("vherd_vcpu_context_switches_total", COUNTER, VH, VCPU, SWITCHES_FORCED,
      "Context switches of the vCPU's thread.", DOM_VCPU, C("kind", "involuntary")),
    M("vherd_vcpu_kvm_exits_total", COUNTER, VH, VCPU, KVM_EXITS, NULL, DOM_VCPU),
    M("vherd_vcpu_kvm_halt_exits_total", COUNTER, VH, VCPU, KVM_HALT_EXITS, NULL, DOM_VCPU),
    M("vherd_vcpu_kvm_io_exits_total", COUNTER, VH, VCPU, KVM_IO_EXITS, NULL, DOM_VCPU),
    M("vherd_vcpu_kvm_mmio_exits_total", COUNTER, VH, VCPU, KVM_MMIO_EXITS, NULL, DOM_VCPU),
    M("vherd_vcpu_kvm_irq_injections_total", COUNTER, VH, VCPU, KVM_IRQ_INJECTIONS, NULL, DOM_VCPU),
    M("vherd_vcpu_kvm_halt_wait_seconds_total", COUNTER, VH, VCPU, KVM_HALT_WAIT, NULL, DOM_VCPU),
    M("vherd_vcpu_kvm_halt_poll_success_seconds_total", COUNTER, VH, VCPU, KVM_POLL_SUCCESS, NULL,
      DOM_VCPU),
    M("vherd_vcpu_kvm_halt_poll_fail_seconds_total", COUNTER, VH, VCPU, KVM_POLL_FAIL, NULL,
      DOM_VCPU),
    M("vherd_disk_write_threshold_bytes", GAUGE, VH, DISK, THRESHOLD, NULL, DOM_DISK),
    M("vherd_disk_chain_depth", GAUGE, VH, DISK, CHAIN_DEPTH, NULL, DOM_DISK),
    M("vherd_filesystem_size_bytes", GAUGE, VH, FS, TOTAL, NULL, DOM,
      L("mountpoint", FS_MOUNTPOINT), L("device", FS_NAME), L("type", FS_TYPE)),
    M("vherd_filesystem_used_bytes", GAUGE, VH, FS, USED, NULL, DOM, L("mountpoint", FS_MOUNTPOINT),
      L("device", FS_NAME), L("type", FS_TYPE)),
    M("vherd_vm_perf_events_total", COUNTER, VH, PERF, COUNT, NULL, DOM, L("event", PERF_EVENT)),
    M("vherd_event_total", COUNTER, VH, EVENT, COUNT, NULL, DOM, L("event", EVENT_NAME)),
};

const size_t model_metrics_count = sizeof(model_metrics) / sizeof(model_metrics[0]);

static const char *const lane_names[LANE_MAX] = {
    [LANE_KERNEL] = "kernel", [LANE_TURN] = "turn",       [LANE_SLOW] = "slow",
    [LANE_HOST] = "host",     [LANE_STATE] = "state",     [LANE_CONFIG] = "config",
    [LANE_STORED] = "stored", [LANE_LIBVIRT] = "libvirt", [LANE_MEMORY] = "memory",
    [LANE_JOB] = "job",       [LANE_AGENT] = "agent",     [LANE_POOL] = "pool",
    [LANE_SELF] = "self",     [LANE_RATE] = "rate",
};

const char *lane_name(enum lane lane)
{
    return lane >= 0 && lane < LANE_MAX ? lane_names[lane] : NULL;
}

bool lane_needs_libvirt(enum lane lane)
{
    return lane == LANE_STATE || lane == LANE_STORED;
}

static const struct {
    const char *name;
    unsigned bit;
} set_names[] = {{"vherd", SET_VHERD}, {"tinkoff", SET_TINKOFF}, {"inovex", SET_INOVEX}};

unsigned metric_set_from_name(const char *name)
{
    for (size_t i = 0; i < sizeof(set_names) / sizeof(set_names[0]); i++)
        if (strcmp(set_names[i].name, name) == 0)
            return set_names[i].bit;
    return 0;
}

const char *metric_type_name(enum metric_type type)
{
    return type == METRIC_COUNTER ? "counter" : "gauge";
}
