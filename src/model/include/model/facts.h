// SPDX-License-Identifier: GPL-3.0-or-later
#ifndef MODEL_FACTS_H
#define MODEL_FACTS_H

/*
 * Rows of the catalogue. Rows of one kind stand together, in the order of MODEL_KINDS.
 * B (brief) = also in lists, D = only where one object is shown; catalogue.c gives the letters a
 * value.
 */

/** X(kind, JSON list in the parent, parent kind) */
#define MODEL_KINDS(X)                                                                             \
    X(HOST, "host", INVALID)                                                                       \
    X(CPU, "cpus", HOST)                                                                           \
    X(NUMA, "numa_nodes", HOST)                                                                    \
    X(HUGEPAGE, "hugepages", HOST)                                                                 \
    X(HDISK, "disks", HOST)                                                                        \
    X(HNIC, "nics", HOST)                                                                          \
    X(POOL, "pools", HOST)                                                                         \
    X(NETWORK, "networks", HOST)                                                                   \
    X(PROCESS, "processes", HOST)                                                                  \
    X(LANE, "lanes", HOST)                                                                         \
    X(CERT, "certificates", HOST)                                                                  \
    X(RULES, "rule_groups", HOST)                                                                  \
    X(RECEIVER, "receivers", HOST)                                                                 \
    X(HMISS, "unavailable", HOST)                                                                  \
    X(VM, "vms", INVALID)                                                                          \
    X(VCPU, "vcpus", VM)                                                                           \
    X(DISK, "disks", VM)                                                                           \
    X(NIC, "nics", VM)                                                                             \
    X(FS, "filesystems", VM)                                                                       \
    X(PERF, "perf_events", VM)                                                                     \
    X(EVENT, "events", VM)                                                                         \
    X(MISS, "unavailable", VM)                                                                     \
    X(LABEL, "labels", VM)

/** X(kind, id, brief, JSON field, help); the first of a kind is its key. */
#define MODEL_ATTRS(X)                                                                             \
    X(HOST, NAME, B, "name", "Host name.")                                                         \
    X(HOST, KERNEL, D, "kernel", "Kernel release.")                                                \
    X(HOST, VERSION, B, "vherd_version", "Version of vherd.")                                      \
    X(HOST, URI, B, "libvirt_uri", "Connection to libvirt.")                                       \
    X(HOST, LIBVIRT_STATUS, B, "libvirt_status",                                                   \
      "connected, connecting, not installed, not running, permission denied, lost, …")             \
    X(HOST, LIBVIRT_MESSAGE, D, "libvirt_message", "libvirt's last error.")                        \
    X(HOST, HYPERVISOR_VERSION, D, "hypervisor_version", "Version of the running hypervisor.")     \
    X(HOST, LIBVIRTD_VERSION, D, "libvirtd_version", "Version of the libvirt daemon.")             \
    X(HOST, LIBRARY_VERSION, D, "libvirt_library_version", "Version of the libvirt library.")      \
    X(CPU, ID, B, "cpu", "Number of the host CPU.")                                                \
    X(NUMA, ID, B, "node", "Number of the NUMA node.")                                             \
    X(HUGEPAGE, ID, B, "id", "Node and size.")                                                     \
    X(HUGEPAGE, NODE, B, "node", "Number of the NUMA node.")                                       \
    X(HUGEPAGE, SIZE, B, "page_size_bytes", "Size of a page in bytes.")                            \
    X(HDISK, NAME, B, "device", "Block device.")                                                   \
    X(HNIC, NAME, B, "device", "Network interface.")                                               \
    X(POOL, NAME, B, "name", "Storage pool.")                                                      \
    X(NETWORK, NAME, B, "name", "libvirt network.")                                                \
    X(NETWORK, BRIDGE, B, "bridge", "Bridge of the network.")                                      \
    X(PROCESS, NAME, B, "process", "Process of vherd.")                                            \
    X(PROCESS, SANDBOX, B, "sandbox", "What confines the process.")                                \
    X(LANE, NAME, B, "lane", "Lane of collection.")                                                \
    X(CERT, PATH, B, "path", "File of the certificate.")                                           \
    X(RULES, ID, D, "id", "File and name of the group.")                                           \
    X(RULES, NAME, B, "name", "Group of rules.")                                                   \
    X(RULES, FILE, B, "file", "File that holds it.")                                               \
    X(RECEIVER, NAME, B, "name", "Receiver of notifications.")                                     \
    X(HMISS, WHAT, B, "what", "What could not be read.")                                           \
    X(HMISS, REASON, B, "reason", "Why.")                                                          \
    X(VM, UUID, B, "uuid", "libvirt's UUID.")                                                      \
    X(VM, NAME, B, "name", "Name of the domain.")                                                  \
    X(VM, TITLE, D, "title", "Title in the domain XML.")                                           \
    X(VM, STATE, B, "state", "libvirt's word for the state.")                                      \
    X(VM, REASON, B, "state_reason", "libvirt's word for the reason of the state.")                \
    X(VM, STATE_DESC, D, "state_description", "The state as inovex' exporter words it.")           \
    X(VM, PROCESS_STATE, B, "process_state", "State letter of the hypervisor process.")            \
    X(VM, PID, B, "pid", "Hypervisor process.")                                                    \
    X(VM, FLAG, B, "flag",                                                                         \
      "stopped, blocked or quarantined where a fault keeps libvirt data away.")                    \
    X(VM, OS_TYPE, D, "os_type", "hvm, …")                                                         \
    X(VM, OS_ARCH, D, "arch", "Guest architecture.")                                               \
    X(VM, OS_MACHINE, D, "machine", "Machine type.")                                               \
    X(VM, DOMAIN_TYPE, D, "domain_type", "kvm, qemu, …")                                           \
    X(VM, AGENT, B, "agent", "Channel of the guest agent: connected, disconnected or none.")       \
    X(VM, GUEST_HOSTNAME, B, "guest_hostname", "Host name that the guest agent reports.")          \
    X(VM, GUEST_OS, B, "guest_os", "Operating system that the guest agent reports.")               \
    X(VM, GUEST_OS_ID, D, "guest_os_id", "Its short name (debian, mswindows, …).")                 \
    X(VM, GUEST_KERNEL, D, "guest_kernel", "Kernel release that the guest agent reports.")         \
    X(VM, GUEST_TIMEZONE, D, "guest_timezone", "Time zone that the guest agent reports.")          \
    X(VM, GUEST_USERS, D, "guest_users", "Users who are logged in, comma-separated.")              \
    X(VM, OWNER, D, "owner", "Owner in vherd's metadata.")                                         \
    X(VM, DIFFERENCES, D, "config_differences",                                                    \
      "What the stored definition would change at a restart, comma-separated.")                    \
    X(VM, NOVA_NAME, D, "openstack_name", "Instance name in Nova's metadata.")                     \
    X(VM, NOVA_FLAVOR, D, "openstack_flavor", "Flavor in Nova's metadata.")                        \
    X(VM, NOVA_USER, D, "openstack_user", "User in Nova's metadata.")                              \
    X(VM, NOVA_USER_ID, D, "openstack_user_id", "User's id in Nova's metadata.")                   \
    X(VM, NOVA_PROJECT, D, "openstack_project", "Project in Nova's metadata.")                     \
    X(VM, NOVA_PROJECT_ID, D, "openstack_project_id", "Project's id in Nova's metadata.")          \
    X(VM, NOVA_ROOT_TYPE, D, "openstack_root_type", "Root disk's kind in Nova's metadata.")        \
    X(VM, NOVA_ROOT_ID, D, "openstack_root_id", "Root disk's id in Nova's metadata.")              \
    X(VCPU, ID, B, "vcpu", "Number of the vCPU.")                                                  \
    X(VCPU, PROCESS_STATE, B, "process_state", "State letter of the vCPU's thread.")               \
    X(DISK, TARGET, B, "target", "Device name in the domain XML (vda).")                           \
    X(DISK, SOURCE, B, "source", "File, block device, volume or network name behind it.")          \
    X(DISK, SOURCE_PROTOCOL, D, "source_protocol", "rbd, nbd, … of a network disk.")               \
    X(DISK, SERIAL, D, "serial", "Serial number given to the guest.")                              \
    X(DISK, BUS, B, "bus", "virtio, scsi, sata, …")                                                \
    X(DISK, TYPE, D, "source_type", "file, block, network, volume, …")                             \
    X(DISK, DEVICE, D, "device", "disk, cdrom, floppy, lun.")                                      \
    X(DISK, DRIVER, D, "driver", "qemu.")                                                          \
    X(DISK, FORMAT, D, "format", "Image format: qcow2, raw, …")                                    \
    X(DISK, CACHE, D, "cache", "Cache mode.")                                                      \
    X(DISK, IO, D, "io", "How its hypervisor reads and writes: threads, native, io_uring.")        \
    X(DISK, BACKING, D, "backing_types",                                                           \
      "Where images lie that its own stands on or copies itself to: file, block, network, …")      \
    X(DISK, DISCARD, D, "discard", "Discard mode.")                                                \
    X(NIC, TARGET, B, "target", "Host side of the interface (vnet0).")                             \
    X(NIC, TYPE, B, "type", "bridge, network, direct, …")                                          \
    X(NIC, SOURCE, B, "source", "Bridge, network or device that it is plugged into.")              \
    X(NIC, BRIDGE, D, "bridge", "Bridge, also that of a libvirt network.")                         \
    X(NIC, MAC, B, "mac", "Hardware address.")                                                     \
    X(NIC, MODEL, D, "model", "virtio, e1000e, …")                                                 \
    X(NIC, MTU, D, "mtu", "Configured MTU.")                                                       \
    X(NIC, VIRTUAL_INTERFACE, D, "virtual_interface", "Open vSwitch's interface id.")              \
    X(FS, MOUNTPOINT, B, "mountpoint", "Where the guest has mounted it.")                          \
    X(FS, NAME, B, "device", "The guest's name of the volume.")                                    \
    X(FS, TYPE, B, "type", "File system type.")                                                    \
    X(PERF, EVENT, B, "event", "Perf event.")                                                      \
    X(EVENT, NAME, B, "event", "Lifecycle or device event.")                                       \
    X(MISS, WHAT, B, "what", "What could not be read.")                                            \
    X(MISS, REASON, B, "reason", "Why.")                                                           \
    X(LABEL, NAME, B, "name", "Label that vherd's metadata in the domain XML give the VM.")        \
    X(LABEL, VALUE, B, "value", "Its value.")

#define MODEL_FACTS(X)                                                                             \
    /* The host. */                                                                                \
    X(HOST, LIBVIRT_UP, SELF, PLAIN, B, "libvirt_up",                                              \
      "1 while the connection to libvirt answers.")                                                \
    X(HOST, DOMAINS, STATE, PLAIN, B, "domains", "Domains that libvirt knows, running or not.")    \
    X(HOST, DOMAINS_RUNNING, STATE, PLAIN, B, "domains_running", "Domains that are running.")      \
    X(HOST, BOOT_TIME, HOST, PLAIN, D, "boot_time_seconds", "When the host booted, Unix time.")    \
    X(HOST, CPUS, HOST, PLAIN, B, "online_cpus", "Online CPUs.")                                   \
    X(HOST, LOAD1, HOST, PLAIN, B, "load1", "Load average over 1 minute.")                         \
    X(HOST, LOAD5, HOST, PLAIN, B, "load5", "Load average over 5 minutes.")                        \
    X(HOST, LOAD15, HOST, PLAIN, B, "load15", "Load average over 15 minutes.")                     \
    X(HOST, PROCS_RUNNING, HOST, PLAIN, D, "procs_running", "Runnable tasks.")                     \
    X(HOST, PROCS_BLOCKED, HOST, PLAIN, D, "procs_blocked", "Tasks that wait for I/O.")            \
    X(HOST, CONTEXT_SWITCHES, HOST, PLAIN, D, "context_switches", "Context switches since boot.")  \
    X(HOST, FORKS, HOST, PLAIN, D, "forks", "Tasks started since boot.")                           \
    X(HOST, MEM_TOTAL, HOST, PLAIN, B, "memory_total_bytes", "Memory of the host.")                \
    X(HOST, MEM_FREE, HOST, PLAIN, B, "memory_free_bytes", "Memory that nobody uses.")             \
    X(HOST, MEM_AVAILABLE, HOST, PLAIN, B, "memory_available_bytes",                               \
      "Memory that can be had without swapping.")                                                  \
    X(HOST, MEM_BUFFERS, HOST, PLAIN, D, "memory_buffers_bytes", "Block device cache.")            \
    X(HOST, MEM_CACHED, HOST, PLAIN, D, "memory_cached_bytes", "Page cache.")                      \
    X(HOST, MEM_DIRTY, HOST, PLAIN, D, "memory_dirty_bytes",                                       \
      "Memory that waits for writing back.")                                                       \
    X(HOST, MEM_SHMEM, HOST, PLAIN, D, "memory_shmem_bytes", "Shared memory and tmpfs.")           \
    X(HOST, MEM_SLAB, HOST, PLAIN, D, "memory_slab_bytes", "The kernel's own structures.")         \
    X(HOST, MEM_ANON_HUGE, HOST, PLAIN, D, "memory_anon_hugepages_bytes",                          \
      "Anonymous memory in transparent huge pages.")                                               \
    X(HOST, MEM_COMMITTED, HOST, PLAIN, D, "memory_committed_bytes",                               \
      "Memory promised to processes.")                                                             \
    X(HOST, SWAP_TOTAL, HOST, PLAIN, B, "swap_total_bytes", "Swap space.")                         \
    X(HOST, SWAP_FREE, HOST, PLAIN, B, "swap_free_bytes", "Unused swap space.")                    \
    X(HOST, SWAP_IN, TURN, PLAIN, D, "swap_in_pages", "Pages swapped in since boot.")              \
    X(HOST, SWAP_OUT, TURN, PLAIN, D, "swap_out_pages", "Pages swapped out since boot.")           \
    X(HOST, OOM_KILLS, TURN, PLAIN, D, "oom_kills", "Processes killed for lack of memory.")        \
    X(HOST, KSM_RUN, TURN, PLAIN, D, "ksm_run", "1 while KSM merges pages.")                       \
    X(HOST, KSM_SHARED, TURN, PLAIN, D, "ksm_pages_shared", "Pages that KSM keeps for others.")    \
    X(HOST, KSM_SHARING, TURN, PLAIN, D, "ksm_pages_sharing",                                      \
      "Places that use them: pages saved.")                                                        \
    X(HOST, KSM_UNSHARED, TURN, PLAIN, D, "ksm_pages_unshared", "Pages found to be unique.")       \
    X(HOST, KSM_VOLATILE, TURN, PLAIN, D, "ksm_pages_volatile", "Pages that change too fast.")     \
    X(HOST, KSM_SCANS, TURN, PLAIN, D, "ksm_full_scans",                                           \
      "Times all mergeable memory was scanned.")                                                   \
    X(HOST, PSI_CPU_SOME, HOST, NS, D, "pressure_cpu_some_seconds",                                \
      "Time some task waited for a CPU.")                                                          \
    X(HOST, PSI_CPU_FULL, HOST, NS, D, "pressure_cpu_full_seconds",                                \
      "Time all tasks waited for a CPU.")                                                          \
    X(HOST, PSI_MEM_SOME, HOST, NS, D, "pressure_memory_some_seconds",                             \
      "Time some task waited for memory.")                                                         \
    X(HOST, PSI_MEM_FULL, HOST, NS, D, "pressure_memory_full_seconds",                             \
      "Time all tasks waited for memory.")                                                         \
    X(HOST, PSI_IO_SOME, HOST, NS, D, "pressure_io_some_seconds",                                  \
      "Time some task waited for I/O.")                                                            \
    X(HOST, PSI_IO_FULL, HOST, NS, D, "pressure_io_full_seconds",                                  \
      "Time all tasks waited for I/O.")                                                            \
    X(HOST, KMSG_MCE, HOST, PLAIN, D, "kernel_mce", "Machine check messages since vherd started.") \
    X(HOST, KMSG_SOFT_LOCKUP, HOST, PLAIN, D, "kernel_soft_lockups",                               \
      "Soft lockup messages since vherd started.")                                                 \
    X(HOST, KMSG_HARD_LOCKUP, HOST, PLAIN, D, "kernel_hard_lockups",                               \
      "Hard lockup messages since vherd started.")                                                 \
    X(HOST, KMSG_HUNG_TASK, HOST, PLAIN, D, "kernel_hung_tasks",                                   \
      "Hung task messages since vherd started.")                                                   \
    X(HOST, KMSG_OOM_KILL, HOST, PLAIN, D, "kernel_oom_kills",                                     \
      "OOM kill messages since vherd started.")                                                    \
    X(HOST, KMSG_IO_ERROR, HOST, PLAIN, D, "kernel_io_errors",                                     \
      "I/O error messages since vherd started.")                                                   \
    X(HOST, KMSG_KVM, HOST, PLAIN, D, "kernel_kvm_errors",                                         \
      "KVM error messages since vherd started.")                                                   \
    X(HOST, CPU_RATIO, RATE, PLAIN, B, "cpu_utilisation_ratio", "Busy part of all CPUs, 0 to 1.")  \
    X(HOST, STEAL_RATIO, RATE, PLAIN, B, "cpu_steal_ratio",                                        \
      "Part that a hypervisor below took, 0 to 1.")                                                \
    X(HOST, IOWAIT_RATIO, RATE, PLAIN, B, "cpu_iowait_ratio",                                      \
      "Part idle while I/O was pending, 0 to 1.")                                                  \
    X(HOST, PSI_CPU_RATIO, RATE, PLAIN, D, "pressure_cpu_ratio",                                   \
      "Part of the last five seconds in which some task waited for a CPU, 0 to 1.")                \
    X(HOST, PSI_MEM_RATIO, RATE, PLAIN, D, "pressure_memory_ratio",                                \
      "Part of the last five seconds in which some task waited for memory, 0 to 1.")               \
    X(HOST, PSI_IO_RATIO, RATE, PLAIN, D, "pressure_io_ratio",                                     \
      "Part of the last five seconds in which some task waited for I/O, 0 to 1.")                  \
    X(HOST, TICKS, SELF, PLAIN, D, "samples", "One-second samples taken.")                         \
    X(HOST, TICKS_MISSED, SELF, PLAIN, D, "samples_missed",                                        \
      "One-second samples that were skipped.")                                                     \
    X(HOST, TICK_LATENESS, SELF, NS, D, "sample_lateness_seconds",                                 \
      "How late the last sample began.")                                                           \
    X(HOST, TICK_DURATION, SELF, NS, D, "sample_duration_seconds",                                 \
      "How long the last sample took.")                                                            \
    X(HOST, SERIES, SELF, PLAIN, D, "series", "Series in the last exposition.")                    \
    X(HOST, STORE_SET_ASIDE, SELF, PLAIN, D, "store_set_aside",                                    \
      "Files of the store, and stretches of its log, that could not be read.")                     \
    X(HOST, STORE_DISK_SIZE, SELF, PLAIN, D, "store_disk_size_bytes",                              \
      "Size of the file system that holds the store.")                                             \
    X(HOST, STORE_DISK_FREE, SELF, PLAIN, D, "store_disk_free_bytes",                              \
      "Room that vherd may use on it.")                                                            \
    X(HOST, RECONNECTS, SELF, PLAIN, D, "libvirt_reconnects",                                      \
      "Connections to libvirt made again.")                                                        \
    X(CPU, USER, HOST, NS, B, "user_seconds", "In user mode, guests apart.")                       \
    X(CPU, NICE, HOST, NS, D, "nice_seconds", "In user mode at low priority, guests apart.")       \
    X(CPU, SYSTEM, HOST, NS, B, "system_seconds", "In the kernel.")                                \
    X(CPU, IDLE, HOST, NS, B, "idle_seconds", "Idle.")                                             \
    X(CPU, IOWAIT, HOST, NS, B, "iowait_seconds", "Idle while I/O was pending.")                   \
    X(CPU, IRQ, HOST, NS, D, "irq_seconds", "Serving interrupts.")                                 \
    X(CPU, SOFTIRQ, HOST, NS, D, "softirq_seconds", "Serving soft interrupts.")                    \
    X(CPU, STEAL, HOST, NS, B, "steal_seconds", "Taken by a hypervisor below.")                    \
    X(CPU, GUEST, HOST, NS, B, "guest_seconds", "Running guests.")                                 \
    X(CPU, GUEST_NICE, HOST, NS, D, "guest_nice_seconds", "Running guests at low priority.")       \
    X(CPU, RATIO, RATE, PLAIN, B, "utilisation_ratio", "Busy part, 0 to 1.")                       \
    X(NUMA, MEM_TOTAL, TURN, PLAIN, B, "memory_total_bytes", "Memory of the node.")                \
    X(NUMA, MEM_FREE, TURN, PLAIN, B, "memory_free_bytes", "Free memory of the node.")             \
    X(NUMA, HIT, TURN, PLAIN, D, "numa_hit", "Allocations that got the node they wanted.")         \
    X(NUMA, MISS, TURN, PLAIN, D, "numa_miss", "Allocations meant for another node.")              \
    X(NUMA, FOREIGN, TURN, PLAIN, D, "numa_foreign",                                               \
      "Allocations meant for this node that went elsewhere.")                                      \
    X(HUGEPAGE, TOTAL, TURN, PLAIN, B, "total", "Huge pages of this size on the node.")            \
    X(HUGEPAGE, FREE, TURN, PLAIN, B, "free", "Unused huge pages.")                                \
    X(HUGEPAGE, SURPLUS, TURN, PLAIN, D, "surplus", "Huge pages above the configured number.")     \
    X(HDISK, READS, HOST, PLAIN, D, "reads", "Reads completed.")                                   \
    X(HDISK, READ_BYTES, HOST, PLAIN, B, "read_bytes", "Bytes read.")                              \
    X(HDISK, READ_TIME, HOST, NS, D, "read_seconds", "Time reads took, summed.")                   \
    X(HDISK, WRITES, HOST, PLAIN, D, "writes", "Writes completed.")                                \
    X(HDISK, WRITE_BYTES, HOST, PLAIN, B, "write_bytes", "Bytes written.")                         \
    X(HDISK, WRITE_TIME, HOST, NS, D, "write_seconds", "Time writes took, summed.")                \
    X(HDISK, IN_FLIGHT, HOST, PLAIN, D, "in_flight", "Requests under way.")                        \
    X(HDISK, IO_TIME, HOST, NS, B, "io_seconds", "Time with at least one request under way.")      \
    X(HDISK, WEIGHTED_TIME, HOST, NS, D, "io_weighted_seconds", "Time times requests under way.")  \
    X(HNIC, RX_BYTES, HOST, PLAIN, B, "receive_bytes", "Bytes received by the host.")              \
    X(HNIC, RX_PACKETS, HOST, PLAIN, D, "receive_packets", "Packets received.")                    \
    X(HNIC, RX_ERRORS, TURN, PLAIN, D, "receive_errors", "Receive errors.")                        \
    X(HNIC, RX_DROPS, TURN, PLAIN, D, "receive_drops", "Packets dropped on receipt.")              \
    X(HNIC, TX_BYTES, HOST, PLAIN, B, "transmit_bytes", "Bytes sent by the host.")                 \
    X(HNIC, TX_PACKETS, HOST, PLAIN, D, "transmit_packets", "Packets sent.")                       \
    X(HNIC, TX_ERRORS, TURN, PLAIN, D, "transmit_errors", "Transmit errors.")                      \
    X(HNIC, TX_DROPS, TURN, PLAIN, D, "transmit_drops", "Packets dropped on sending.")             \
    X(HNIC, UP, HOST, PLAIN, B, "up", "1 while the interface is up.")                              \
    X(POOL, STATE, POOL, PLAIN, B, "state",                                                        \
      "0 inactive, 1 building, 2 running, 3 degraded, 4 inaccessible.")                            \
    X(POOL, CAPACITY, POOL, PLAIN, B, "capacity_bytes", "Size of the pool.")                       \
    X(POOL, ALLOCATION, POOL, PLAIN, B, "allocation_bytes", "Space in use.")                       \
    X(POOL, AVAILABLE, POOL, PLAIN, B, "available_bytes", "Space left.")                           \
    X(POOL, TIMED_OUT, SELF, PLAIN, B, "timed_out", "1 while the pool does not answer in time.")   \
    X(NETWORK, ACTIVE, POOL, PLAIN, B, "active", "1 while the network is active.")                 \
    X(NETWORK, AUTOSTART, POOL, PLAIN, B, "autostart", "1 where it starts with libvirt.")          \
    X(PROCESS, CPU, SELF, NS, B, "cpu_seconds", "CPU time of the process.")                        \
    X(PROCESS, RSS, SELF, PLAIN, B, "resident_bytes", "Resident memory of the process.")           \
    X(PROCESS, RESTARTS, SELF, PLAIN, B, "restarts", "Times the supervisor started it again.")     \
    X(LANE, CALLS, SELF, PLAIN, B, "calls", "Calls made.")                                         \
    X(LANE, SPARED, SELF, PLAIN, D, "spared",                                                      \
      "Calls not made, as nothing can have changed (lane disks).")                                 \
    X(LANE, ERRORS, SELF, PLAIN, B, "errors", "Calls that failed.")                                \
    X(LANE, TIMEOUTS, SELF, PLAIN, B, "timeouts", "Calls written off past their deadline.")        \
    X(LANE, LATE, SELF, PLAIN, D, "late", "Late answers dropped.")                                 \
    X(LANE, IN_FLIGHT, SELF, PLAIN, B, "in_flight", "Calls under way within their deadline.")      \
    X(LANE, WRITTEN_OFF, SELF, PLAIN, B, "written_off",                                            \
      "Calls past their deadline that have not come back.")                                        \
    X(LANE, QUARANTINED, SELF, PLAIN, B, "quarantined", "Objects in quarantine.")                  \
    X(CERT, NOT_AFTER, SELF, PLAIN, B, "not_after_time_seconds",                                   \
      "End of the certificate's validity, Unix time.")                                             \
    X(RULES, ITERATIONS, SELF, PLAIN, B, "iterations", "Evaluations of the group on schedule.")    \
    X(RULES, MISSED, SELF, PLAIN, B, "iterations_missed",                                          \
      "Evaluations that were skipped since one before took too long.")                             \
    X(RULES, DURATION, SELF, NS, B, "duration_seconds", "How long the last evaluation took.")      \
    X(RULES, FAILURES, SELF, PLAIN, B, "evaluation_failures",                                      \
      "Rules that could not be evaluated.")                                                        \
    X(RULES, LATE, SELF, NS, B, "late_seconds", "How late the last evaluation began.")             \
    X(RULES, LAST, SELF, PLAIN, B, "last_evaluation_time_seconds",                                 \
      "When the group was last evaluated on schedule, Unix time; it ages while rules stand "       \
      "still.")                                                                                    \
    X(RECEIVER, SENT, SELF, PLAIN, B, "sent", "Messages delivered.")                               \
    X(RECEIVER, FAILED, SELF, PLAIN, B, "failed", "Attempts that failed.")                         \
    X(RECEIVER, GIVEN_UP, SELF, PLAIN, B, "given_up",                                              \
      "Messages that the receiver refused for good or that grew too old.")                         \
    X(RECEIVER, QUEUED, SELF, PLAIN, B, "queued", "Messages that wait for delivery.")              \
    X(RECEIVER, OLDEST_AGE, SELF, NS, B, "oldest_age_seconds",                                     \
      "Age of the oldest message that waits; 0 without any.")                                      \
    X(HMISS, ONE, SELF, PLAIN, D, "unavailable", "1 where something could not be read.")           \
    /* A VM. */                                                                                    \
    X(VM, STATE, STATE, PLAIN, D, "state_code", "libvirt's virDomainState.")                       \
    X(VM, REASON, STATE, PLAIN, D, "state_reason_code", "libvirt's reason code of the state.")     \
    X(VM, ID, STATE, PLAIN, B, "id", "libvirt's number of the running domain.")                    \
    X(VM, PERSISTENT, STATE, PLAIN, D, "persistent", "0 for a transient domain.")                  \
    X(VM, AUTOSTART, STATE, PLAIN, D, "autostart", "1 where it starts with libvirt.")              \
    X(VM, VCPUS, CONFIG, PLAIN, B, "vcpus_current", "Online vCPUs.")                               \
    X(VM, VCPUS_MAX, CONFIG, PLAIN, D, "vcpus_maximum", "vCPUs that may be plugged.")              \
    X(VM, MEM_MAX, CONFIG, PLAIN, B, "memory_maximum_bytes", "Largest memory of the domain.")      \
    X(VM, MEM_CURRENT, CONFIG, PLAIN, B, "memory_current_bytes",                                   \
      "Memory the domain has: balloon, or else configured.")                                       \
    X(VM, BALLOON_PERIOD, CONFIG, NS, D, "balloon_period_seconds",                                 \
      "How often the balloon reports; 0: never.")                                                  \
    X(VM, SNAPSHOTS, STORED, PLAIN, D, "snapshots", "Snapshots that libvirt knows of the VM.")     \
    X(VM, SNAPSHOT_OLDEST, STORED, PLAIN, D, "snapshot_oldest_time_seconds",                       \
      "When its oldest snapshot was made, Unix time.")                                             \
    X(VM, SNAPSHOT_NEWEST, STORED, PLAIN, D, "snapshot_newest_time_seconds",                       \
      "When its newest snapshot was made, Unix time.")                                             \
    X(VM, CONFIG_DIFFERS, STORED, PLAIN, D, "config_differs",                                      \
      "1 while a restart would change what the VM is made of, its stored definition being "        \
      "another.")                                                                                  \
    X(VM, CPU, KERNEL, NS, B, "cpu_seconds", "CPU time of the whole hypervisor process.")          \
    X(VM, VCPU_RUN, KERNEL, NS, D, "vcpu_run_seconds", "Run time of the vCPU threads, summed.")    \
    X(VM, VCPU_WAIT, KERNEL, NS, D, "vcpu_wait_seconds",                                           \
      "Run-queue wait of the vCPU threads, summed.")                                               \
    X(VM, EMULATOR_RUN, TURN, NS, D, "emulator_run_seconds",                                       \
      "Run time of the emulator's other threads.")                                                 \
    X(VM, EMULATOR_WAIT, TURN, NS, D, "emulator_wait_seconds",                                     \
      "Run-queue wait of the emulator's other threads.")                                           \
    X(VM, IOTHREAD_RUN, TURN, NS, D, "iothread_run_seconds", "Run time of the I/O threads.")       \
    X(VM, IOTHREAD_WAIT, TURN, NS, D, "iothread_wait_seconds",                                     \
      "Run-queue wait of the I/O threads.")                                                        \
    X(VM, VHOST_RUN, TURN, NS, D, "vhost_run_seconds", "Run time of the vhost threads.")           \
    X(VM, VHOST_WAIT, TURN, NS, D, "vhost_wait_seconds", "Run-queue wait of the vhost threads.")   \
    X(VM, THREADS, TURN, PLAIN, D, "threads", "Threads of the hypervisor process.")                \
    X(VM, START_TIME, TURN, PLAIN, D, "start_time_seconds",                                        \
      "When the hypervisor process started, Unix time.")                                           \
    X(VM, RSS, KERNEL, PLAIN, B, "resident_bytes", "Memory of the host that the process holds.")   \
    X(VM, MAJOR_FAULTS, KERNEL, PLAIN, D, "process_major_faults",                                  \
      "Page faults of the process that needed I/O.")                                               \
    X(VM, PSS, SLOW, PLAIN, D, "proportional_bytes", "Its share of the host's memory (PSS).")      \
    X(VM, PSS_AGE, SLOW, NS, D, "proportional_age_seconds",                                        \
      "How long ago that share was measured.")                                                     \
    X(VM, SWAP, SLOW, PLAIN, B, "swapped_bytes", "Memory of the process in the host's swap.")      \
    X(VM, CG_PERIODS, TURN, PLAIN, D, "cgroup_periods", "CPU quota periods of the VM's cgroups.")  \
    X(VM, CG_THROTTLED_PERIODS, TURN, PLAIN, D, "cgroup_throttled_periods",                        \
      "Periods in which the quota ran out.")                                                       \
    X(VM, CG_THROTTLED, TURN, NS, D, "cgroup_throttled_seconds",                                   \
      "Time that CPU quotas held it back.")                                                        \
    X(VM, CG_MEM_CURRENT, TURN, PLAIN, D, "cgroup_memory_bytes",                                   \
      "Memory charged to the VM's cgroup.")                                                        \
    X(VM, CG_MEM_HIGH, TURN, PLAIN, D, "cgroup_memory_high_events",                                \
      "Times the high limit was passed.")                                                          \
    X(VM, CG_MEM_MAX, TURN, PLAIN, D, "cgroup_memory_max_events", "Times the limit was hit.")      \
    X(VM, CG_OOM, TURN, PLAIN, D, "cgroup_oom_events", "Times the cgroup was out of memory.")      \
    X(VM, CG_OOM_KILL, TURN, PLAIN, D, "cgroup_oom_kills",                                         \
      "Processes of the cgroup that were killed for it.")                                          \
    X(VM, PSI_CPU_SOME, TURN, NS, D, "pressure_cpu_some_seconds",                                  \
      "Time some task of the VM waited for a CPU.")                                                \
    X(VM, PSI_CPU_FULL, TURN, NS, D, "pressure_cpu_full_seconds",                                  \
      "Time all tasks of the VM waited for a CPU.")                                                \
    X(VM, PSI_MEM_SOME, TURN, NS, D, "pressure_memory_some_seconds",                               \
      "Time some task of the VM waited for memory.")                                               \
    X(VM, PSI_MEM_FULL, TURN, NS, D, "pressure_memory_full_seconds",                               \
      "Time all tasks of the VM waited for memory.")                                               \
    X(VM, PSI_IO_SOME, TURN, NS, D, "pressure_io_some_seconds",                                    \
      "Time some task of the VM waited for I/O.")                                                  \
    X(VM, PSI_IO_FULL, TURN, NS, D, "pressure_io_full_seconds",                                    \
      "Time all tasks of the VM waited for I/O.")                                                  \
    X(VM, BALLOON_CURRENT, MEMORY, PLAIN, D, "balloon_current_bytes",                              \
      "Memory the balloon leaves to the guest.")                                                   \
    X(VM, BALLOON_MAXIMUM, MEMORY, PLAIN, D, "balloon_maximum_bytes",                              \
      "Memory with an empty balloon.")                                                             \
    X(VM, GUEST_AVAILABLE, MEMORY, PLAIN, D, "guest_available_bytes",                              \
      "Memory that the guest sees.")                                                               \
    X(VM, GUEST_UNUSED, MEMORY, PLAIN, D, "guest_unused_bytes",                                    \
      "Memory that the guest leaves unused.")                                                      \
    X(VM, GUEST_USABLE, MEMORY, PLAIN, B, "guest_usable_bytes",                                    \
      "Memory the guest can have without swapping.")                                               \
    X(VM, GUEST_DISK_CACHES, MEMORY, PLAIN, D, "guest_disk_caches_bytes",                          \
      "The guest's page cache.")                                                                   \
    X(VM, GUEST_SWAP_IN, MEMORY, PLAIN, D, "guest_swap_in_bytes", "Swapped in by the guest.")      \
    X(VM, GUEST_SWAP_OUT, MEMORY, PLAIN, D, "guest_swap_out_bytes", "Swapped out by the guest.")   \
    X(VM, GUEST_MAJOR_FAULTS, MEMORY, PLAIN, D, "guest_major_faults",                              \
      "The guest's page faults that needed I/O.")                                                  \
    X(VM, GUEST_MINOR_FAULTS, MEMORY, PLAIN, D, "guest_minor_faults",                              \
      "The guest's other page faults.")                                                            \
    X(VM, GUEST_HUGE_ALLOC, MEMORY, PLAIN, D, "guest_hugetlb_allocations",                         \
      "Huge pages the guest took.")                                                                \
    X(VM, GUEST_HUGE_FAIL, MEMORY, PLAIN, D, "guest_hugetlb_failures",                             \
      "Huge pages the guest could not get.")                                                       \
    X(VM, BALLOON_RSS, MEMORY, PLAIN, D, "libvirt_resident_bytes",                                 \
      "Resident memory as libvirt reports it.")                                                    \
    X(VM, BALLOON_UPDATE, MEMORY, PLAIN, D, "balloon_update_timestamp_seconds",                    \
      "When the balloon last reported, Unix time.")                                                \
    X(VM, USED_PERCENT, MEMORY, PLAIN, D, "guest_used_percent",                                    \
      "Used part of the guest's memory, 0 to 100.")                                                \
    X(VM, JOB_TYPE, JOB, PLAIN, D, "job_type",                                                     \
      "virDomainJobType: 0 none, 1 bounded, 2 unbounded, …")                                       \
    X(VM, JOB_ELAPSED, JOB, NS, D, "job_elapsed_seconds", "Running time of the job.")              \
    X(VM, JOB_REMAINING, JOB, NS, D, "job_remaining_seconds", "Expected time to its end.")         \
    X(VM, JOB_DATA_TOTAL, JOB, PLAIN, D, "job_data_total_bytes", "Data of the job.")               \
    X(VM, JOB_DATA_PROCESSED, JOB, PLAIN, D, "job_data_processed_bytes", "Data done.")             \
    X(VM, JOB_DATA_REMAINING, JOB, PLAIN, D, "job_data_remaining_bytes", "Data left.")             \
    X(VM, JOB_MEM_TOTAL, JOB, PLAIN, D, "job_memory_total_bytes", "Memory of the job.")            \
    X(VM, JOB_MEM_PROCESSED, JOB, PLAIN, D, "job_memory_processed_bytes", "Memory done.")          \
    X(VM, JOB_MEM_REMAINING, JOB, PLAIN, D, "job_memory_remaining_bytes", "Memory left.")          \
    X(VM, JOB_FILE_TOTAL, JOB, PLAIN, D, "job_file_total_bytes", "File data of the job.")          \
    X(VM, JOB_FILE_PROCESSED, JOB, PLAIN, D, "job_file_processed_bytes", "File data done.")        \
    X(VM, JOB_FILE_REMAINING, JOB, PLAIN, D, "job_file_remaining_bytes", "File data left.")        \
    X(VM, DIRTY_RATE, AGENT, PLAIN, D, "dirty_bytes_per_second", "Last measured dirty page rate.") \
    X(VM, AGENT_CONNECTED, STATE, PLAIN, D, "agent_connected",                                     \
      "1 while the guest agent's channel is open.")                                                \
    X(VM, AGENT_UP, AGENT, PLAIN, D, "agent_up", "1 while the guest agent answers.")               \
    X(VM, TIME_OFFSET, AGENT, NS, D, "guest_time_offset_seconds",                                  \
      "Guest's clock minus the host's.")                                                           \
    X(VM, USERS, AGENT, PLAIN, D, "guest_users_count", "Users who are logged in.")                 \
    X(VM, TIMED_OUT, SELF, PLAIN, B, "timed_out",                                                  \
      "1 while the VM does not answer libvirt in time.")                                           \
    X(VM, STALLED, SELF, PLAIN, B, "stalled",                                                      \
      "1 while its process is stopped or in uninterruptible sleep.")                               \
    X(VM, LIBVIRT_AGE, SELF, NS, B, "libvirt_age_seconds",                                         \
      "Age of the last statistics through libvirt.")                                               \
    X(VM, CPU_RATIO, RATE, PLAIN, B, "cpu_ratio", "CPU in use, in CPUs (1 = one whole CPU).")      \
    X(VM, CPU_UTILISATION, RATE, PLAIN, B, "cpu_utilisation_ratio", "Use of its vCPUs, 0 to 1.")   \
    X(VM, WAIT_RATIO, RATE, PLAIN, B, "cpu_wait_ratio",                                            \
      "Run-queue wait per vCPU, 0 to 1: steal as the guest sees it.")                              \
    X(VM, MEM_USED_RATIO, RATE, PLAIN, B, "memory_used_ratio",                                     \
      "Used part of the guest's memory, 0 to 1.")                                                  \
    X(VM, READ_RATE, RATE, PLAIN, B, "read_bytes_per_second", "Read from its disks.")              \
    X(VM, WRITE_RATE, RATE, PLAIN, B, "write_bytes_per_second", "Written to its disks.")           \
    X(VM, IOPS, RATE, PLAIN, B, "disk_requests_per_second", "Disk requests, flushes included.")    \
    X(VM, LATENCY, RATE, NS, B, "disk_latency_seconds", "Mean time of a disk request.")            \
    X(VM, RX_RATE, RATE, PLAIN, B, "receive_bytes_per_second", "Received by the guest.")           \
    X(VM, TX_RATE, RATE, PLAIN, B, "transmit_bytes_per_second", "Sent by the guest.")              \
    X(VCPU, RUN, KERNEL, NS, B, "run_seconds", "Time the vCPU ran on a host CPU.")                 \
    X(VCPU, WAIT, KERNEL, NS, B, "wait_seconds",                                                   \
      "Time the vCPU was ready but waited on a run queue.")                                        \
    X(VCPU, SLICES, TURN, PLAIN, D, "timeslices", "Times it was put on a CPU.")                    \
    X(VCPU, CPU, TURN, PLAIN, B, "cpu", "Host CPU on which it last ran.")                          \
    X(VCPU, STATE, TURN, PLAIN, D, "state", "virVcpuState: 1 running.")                            \
    X(VCPU, SWITCHES_VOLUNTARY, TURN, PLAIN, D, "voluntary_switches",                              \
      "Context switches it asked for.")                                                            \
    X(VCPU, SWITCHES_FORCED, TURN, PLAIN, D, "involuntary_switches",                               \
      "Context switches forced on it.")                                                            \
    X(VCPU, KVM_EXITS, SLOW, PLAIN, D, "kvm_exits", "Exits from guest mode.")                      \
    X(VCPU, KVM_HALT_EXITS, SLOW, PLAIN, D, "kvm_halt_exits",                                      \
      "Exits since the guest had nothing to do.")                                                  \
    X(VCPU, KVM_IO_EXITS, SLOW, PLAIN, D, "kvm_io_exits", "Exits for port I/O.")                   \
    X(VCPU, KVM_MMIO_EXITS, SLOW, PLAIN, D, "kvm_mmio_exits", "Exits for memory-mapped I/O.")      \
    X(VCPU, KVM_IRQ_INJECTIONS, SLOW, PLAIN, D, "kvm_irq_injections",                              \
      "Interrupts given to the guest.")                                                            \
    X(VCPU, KVM_HALT_WAIT, SLOW, NS, D, "kvm_halt_wait_seconds", "Time halted.")                   \
    X(VCPU, KVM_POLL_SUCCESS, SLOW, NS, D, "kvm_halt_poll_success_seconds",                        \
      "Halt polling that paid off.")                                                               \
    X(VCPU, KVM_POLL_FAIL, SLOW, NS, D, "kvm_halt_poll_fail_seconds", "Halt polling in vain.")     \
    X(VCPU, RATIO, RATE, PLAIN, B, "utilisation_ratio",                                            \
      "Running part of the last second, 0 to 1.")                                                  \
    X(VCPU, WAIT_RATIO, RATE, PLAIN, B, "wait_ratio", "Waiting part of the last second, 0 to 1.")  \
    X(DISK, READ_BYTES, LIBVIRT, PLAIN, B, "read_bytes", "Bytes read by the guest.")               \
    X(DISK, READS, LIBVIRT, PLAIN, B, "read_requests", "Reads.")                                   \
    X(DISK, READ_TIME, LIBVIRT, NS, D, "read_seconds", "Time reads took, summed.")                 \
    X(DISK, WRITE_BYTES, LIBVIRT, PLAIN, B, "write_bytes", "Bytes written by the guest.")          \
    X(DISK, WRITES, LIBVIRT, PLAIN, B, "write_requests", "Writes.")                                \
    X(DISK, WRITE_TIME, LIBVIRT, NS, D, "write_seconds", "Time writes took, summed.")              \
    X(DISK, FLUSHES, LIBVIRT, PLAIN, D, "flush_requests", "Flushes.")                              \
    X(DISK, FLUSH_TIME, LIBVIRT, NS, D, "flush_seconds", "Time flushes took, summed.")             \
    X(DISK, CAPACITY, LIBVIRT, PLAIN, B, "capacity_bytes", "Size that the guest sees.")            \
    X(DISK, ALLOCATION, LIBVIRT, PLAIN, B, "allocation_bytes",                                     \
      "Highest offset written, or space in use.")                                                  \
    X(DISK, PHYSICAL, LIBVIRT, PLAIN, B, "physical_bytes",                                         \
      "Size of the container: file or device.")                                                    \
    X(DISK, THRESHOLD, LIBVIRT, PLAIN, D, "write_threshold_bytes", "Armed write threshold.")       \
    X(DISK, CHAIN_DEPTH, STORED, PLAIN, D, "chain_depth",                                          \
      "Images below the disk's active one (its backing chain).")                                   \
    X(DISK, LIMIT_TOTAL_BYTES, CONFIG, PLAIN, D, "limit_total_bytes",                              \
      "Throttle: bytes/s, reads and writes together.")                                             \
    X(DISK, LIMIT_READ_BYTES, CONFIG, PLAIN, D, "limit_read_bytes", "Throttle: bytes/s read.")     \
    X(DISK, LIMIT_WRITE_BYTES, CONFIG, PLAIN, D, "limit_write_bytes",                              \
      "Throttle: bytes/s written.")                                                                \
    X(DISK, LIMIT_TOTAL_REQS, CONFIG, PLAIN, D, "limit_total_requests",                            \
      "Throttle: requests/s, reads and writes together.")                                          \
    X(DISK, LIMIT_READ_REQS, CONFIG, PLAIN, D, "limit_read_requests", "Throttle: reads/s.")        \
    X(DISK, LIMIT_WRITE_REQS, CONFIG, PLAIN, D, "limit_write_requests", "Throttle: writes/s.")     \
    X(DISK, BURST_TOTAL_BYTES, CONFIG, PLAIN, D, "limit_burst_total_bytes", "Burst: bytes/s.")     \
    X(DISK, BURST_READ_BYTES, CONFIG, PLAIN, D, "limit_burst_read_bytes", "Burst: bytes/s read.")  \
    X(DISK, BURST_WRITE_BYTES, CONFIG, PLAIN, D, "limit_burst_write_bytes",                        \
      "Burst: bytes/s written.")                                                                   \
    X(DISK, BURST_TOTAL_REQS, CONFIG, PLAIN, D, "limit_burst_total_requests",                      \
      "Burst: requests/s.")                                                                        \
    X(DISK, BURST_READ_REQS, CONFIG, PLAIN, D, "limit_burst_read_requests", "Burst: reads/s.")     \
    X(DISK, BURST_WRITE_REQS, CONFIG, PLAIN, D, "limit_burst_write_requests", "Burst: writes/s.")  \
    X(DISK, BURST_TOTAL_BYTES_LEN, CONFIG, NS, D, "limit_burst_total_bytes_length_seconds",        \
      "How long the burst in bytes may last.")                                                     \
    X(DISK, BURST_READ_BYTES_LEN, CONFIG, NS, D, "limit_burst_read_bytes_length_seconds",          \
      "How long the burst in bytes read may last.")                                                \
    X(DISK, BURST_WRITE_BYTES_LEN, CONFIG, NS, D, "limit_burst_write_bytes_length_seconds",        \
      "How long the burst in bytes written may last.")                                             \
    X(DISK, BURST_TOTAL_REQS_LEN, CONFIG, NS, D, "limit_burst_length_total_requests_seconds",      \
      "How long the burst in requests may last.")                                                  \
    X(DISK, BURST_READ_REQS_LEN, CONFIG, NS, D, "limit_burst_length_read_requests_seconds",        \
      "How long the burst in reads may last.")                                                     \
    X(DISK, BURST_WRITE_REQS_LEN, CONFIG, NS, D, "limit_burst_length_write_requests_seconds",      \
      "How long the burst in writes may last.")                                                    \
    X(DISK, SIZE_IOPS, CONFIG, PLAIN, D, "size_iops_bytes",                                        \
      "Size from which a request counts as several.")                                              \
    X(DISK, READ_RATE, RATE, PLAIN, B, "read_bytes_per_second", "Read by the guest.")              \
    X(DISK, WRITE_RATE, RATE, PLAIN, B, "write_bytes_per_second", "Written by the guest.")         \
    X(DISK, READ_IOPS, RATE, PLAIN, B, "reads_per_second", "Reads.")                               \
    X(DISK, WRITE_IOPS, RATE, PLAIN, B, "writes_per_second", "Writes.")                            \
    X(DISK, READ_LATENCY, RATE, NS, B, "read_latency_seconds", "Mean time of a read.")             \
    X(DISK, WRITE_LATENCY, RATE, NS, B, "write_latency_seconds", "Mean time of a write.")          \
    X(DISK, FLUSH_LATENCY, RATE, NS, D, "flush_latency_seconds", "Mean time of a flush.")          \
    X(NIC, RX_BYTES, KERNEL, PLAIN, B, "receive_bytes", "Bytes received by the guest.")            \
    X(NIC, RX_PACKETS, KERNEL, PLAIN, B, "receive_packets", "Packets received by the guest.")      \
    X(NIC, RX_ERRORS, TURN, PLAIN, B, "receive_errors", "Errors towards the guest.")               \
    X(NIC, RX_DROPS, TURN, PLAIN, B, "receive_drops", "Packets to the guest that were dropped.")   \
    X(NIC, TX_BYTES, KERNEL, PLAIN, B, "transmit_bytes", "Bytes sent by the guest.")               \
    X(NIC, TX_PACKETS, KERNEL, PLAIN, B, "transmit_packets", "Packets sent by the guest.")         \
    X(NIC, TX_ERRORS, TURN, PLAIN, B, "transmit_errors", "Errors from the guest.")                 \
    X(NIC, TX_DROPS, TURN, PLAIN, B, "transmit_drops",                                             \
      "Packets from the guest that were dropped.")                                                 \
    X(NIC, RX_RATE, RATE, PLAIN, B, "receive_bytes_per_second", "Received by the guest.")          \
    X(NIC, TX_RATE, RATE, PLAIN, B, "transmit_bytes_per_second", "Sent by the guest.")             \
    X(FS, TOTAL, AGENT, PLAIN, B, "total_bytes", "Size of the guest's file system.")               \
    X(FS, USED, AGENT, PLAIN, B, "used_bytes", "Space in use.")                                    \
    X(PERF, COUNT, LIBVIRT, PLAIN, B, "count", "Count of the event.")                              \
    X(EVENT, COUNT, SELF, PLAIN, B, "count", "Events seen since vherd started.")                   \
    X(MISS, ONE, SELF, PLAIN, D, "unavailable", "1 where something could not be read.")            \
    X(LABEL, ONE, CONFIG, PLAIN, D, "label", "1 for a label.")

#endif
