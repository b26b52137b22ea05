// SPDX-License-Identifier: GPL-3.0-or-later
// What can be done, one row each; the handlers are act's.
#include "verb/deed.h"

#include <string.h>

#include "base/mem.h"

#define KIB INT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)
#define DAY 86400

#define MEMORY_MIN (16 * MIB)
#define MEMORY_MAX (16 * TIB)
#define DIMM (128 * MIB)
#define DISK_MIN MIB
#define DISK_MAX (1024 * TIB)
#define RATE_MAX (INT64_C(1) << 40)

static const char *const formats[] = {"qcow2", "raw", NULL};
static const char *const firmwares[] = {"bios", "uefi", NULL};
static const char *const fallbacks[] = {"fail", "destroy", NULL};
static const char *const numa_modes[] = {"strict", "preferred", "interleave", "restrictive", NULL};
static const char *const kinds[] = {"internal", "external", NULL};
static const char *const merges[] = {"commit", "pull", NULL};
static const char *const scopes[] = {"both", "live", "config", NULL};
static const char *const fates[] = {"keep", "delete", NULL};

static const struct field volume_fields[] = {
    {"pool", FIELD_NAME, true, .help = "the storage pool"},
    {"volume", FIELD_NAME, true, .help = "the volume in it"},
    {NULL},
};

static const struct field disk_fields[] = {
    {"pool", FIELD_NAME, true, .help = "the storage pool"},
    {"volume", FIELD_NAME, .help = "an existing volume; without it a new one is made"},
    {"size", FIELD_SIZE, .min = DISK_MIN, .max = DISK_MAX, .help = "size of a new volume"},
    {"image", FIELD_NAME, .help = "a volume of that pool that a new one starts as a copy of"},
    {"format", FIELD_CHOICE, .choices = formats, .help = "format; qcow2 if absent"},
    {"target", FIELD_NAME, .help = "the name inside the VM's definition, vda if absent"},
    {"read_only", FIELD_BOOL, .help = "the guest may not write"},
    {NULL},
};

static const struct field nic_fields[] = {
    {"network", FIELD_NAME, .help = "a network of libvirt, or:"},
    {"bridge", FIELD_NAME, .help = "a bridge of the host"},
    {"mac", FIELD_NAME, .help = "the MAC address; chosen if absent"},
    {NULL},
};

#define NUMA_FIELDS                                                                                \
    {"nodes", FIELD_TEXT, true, .max = 255, .help = "NUMA nodes of the host, such as 0 or 0-1,3"}, \
        {"mode", FIELD_CHOICE, .choices = numa_modes,                                              \
         .help = "how strictly memory stays there; strict if absent"},                             \
    {                                                                                              \
        "pin_vcpus", FIELD_BOOL, .help = "pin each vCPU to the CPUs of one of the nodes"           \
    }

static const struct field numa_fields[] = {NUMA_FIELDS, {NULL}};

static const struct field seed_fields[] = {
    {"pool", FIELD_NAME, true, .help = "the storage pool that keeps the image"},
    {"hostname", FIELD_TEXT, .max = 253, .help = "the guest's host name; the VM's name if absent"},
    {"address", FIELD_TEXT, .max = 64, .help = "10.0.0.5/24 or fd00::5/64; DHCP if absent"},
    {"gateway", FIELD_TEXT, .max = 64, .help = "the way to everywhere else"},
    {"dns", FIELD_TEXT, .max = 255, .help = "addresses of name servers, with blanks between"},
    {NULL},
};

static const struct field seed_user_fields[] = {
    {"name", FIELD_NAME, true, .help = "the user's name in the guest"},
    {"ssh_key", FIELD_TEXT, .max = 16384,
     .help = "a public key that lets them in; name them again for another"},
    {"sudo", FIELD_BOOL, .help = "they may become root without a password"},
    {NULL},
};

static const struct field create_fields[] = {
    {"name", FIELD_NAME, true, .help = "the VM's name"},
    {"vcpus", FIELD_INTEGER, .min = 1, .max = 710, .help = "vCPUs; 1 if absent"},
    {"max_vcpus", FIELD_INTEGER, .min = 1, .max = 710, .help = "as many may be plugged later"},
    {"memory", FIELD_SIZE, true, MEMORY_MIN, MEMORY_MAX, .help = "memory"},
    {"max_memory", FIELD_SIZE, .min = MEMORY_MIN, .max = MEMORY_MAX,
     .help = "the balloon's ceiling"},
    {"plug_memory", FIELD_SIZE, .min = DIMM, .max = MEMORY_MAX,
     .help = "as much may be plugged later, as DIMMs"},
    {"disks", FIELD_LIST, .max = 16, .fields = disk_fields, .help = "disks, in order"},
    {"nics", FIELD_LIST, .max = 8, .fields = nic_fields, .help = "network interfaces"},
    {"kernel", FIELD_OBJECT, .fields = volume_fields, .help = "a kernel to boot directly"},
    {"initrd", FIELD_OBJECT, .fields = volume_fields, .help = "its initial RAM disk"},
    {"cmdline", FIELD_TEXT, .max = 2048, .help = "its command line"},
    {"firmware", FIELD_CHOICE, .choices = firmwares, .help = "bios if absent"},
    {"autostart", FIELD_BOOL, .help = "start with the host"},
    {"owner", FIELD_NAME, .help = "whose it is; who asks, if absent"},
    {"labels", FIELD_LABELS, .max = 32, .help = "labels"},
    {"numa", FIELD_OBJECT, .fields = numa_fields, .help = "NUMA nodes it is placed on"},
    {"seed", FIELD_OBJECT, .fields = seed_fields,
     .help = "a seed image for cloud-init, kept in a pool and deleted with the disks"},
    {"seed_users", FIELD_LIST, .max = 32, .fields = seed_user_fields,
     .help = "users that cloud-init makes"},
    {"seed_packages", FIELD_TEXTS, .max = 128, .help = "packages that cloud-init installs"},
    {"seed_commands", FIELD_TEXTS, .max = 64,
     .help = "shell commands that cloud-init runs as root at the first start"},
    {"template", FIELD_NAME, .help = "a template that gives what is not given here"},
    {"start", FIELD_BOOL, .help = "start it when it is made"},
    {NULL},
};

static const struct field clone_fields[] = {
    {"name", FIELD_NAME, true, .help = "the new VM's name"},
    {"linked", FIELD_BOOL, .help = "overlays over the origin's disks instead of copies"},
    {"start", FIELD_BOOL, .help = "start it when it is made"},
    {NULL},
};

static const struct field shutdown_fields[] = {
    {"timeout", FIELD_DURATION, .min = 1, .max = DAY, .help = "how long to wait; 2m if absent"},
    {"fallback", FIELD_CHOICE, .choices = fallbacks,
     .help = "what to do with a guest that has not ended by then; fail if absent"},
    {NULL},
};

static const struct field none[] = {{NULL}};

static const struct field rename_fields[] = {
    {"name", FIELD_NAME, true, .help = "the new name"},
    {NULL},
};

static const struct field set_fields[] = {
    {"vcpus", FIELD_INTEGER, .min = 1, .max = 710, .help = "vCPUs at the next start"},
    {"max_vcpus", FIELD_INTEGER, .min = 1, .max = 710, .help = "as many may be plugged"},
    {"memory", FIELD_SIZE, .min = MEMORY_MIN, .max = MEMORY_MAX,
     .help = "memory at the next start"},
    {"max_memory", FIELD_SIZE, .min = MEMORY_MIN, .max = MEMORY_MAX,
     .help = "the balloon's ceiling"},
    {"autostart", FIELD_BOOL, .help = "start with the host"},
    {"owner", FIELD_NAME, .help = "whose it is"},
    {"labels", FIELD_LABELS, .max = 32, .help = "labels, in place of those there are"},
    {NULL},
};

static const struct field delete_fields[] = {
    {"disks", FIELD_CHOICE, true, .choices = fates, .help = "what becomes of its volumes"},
    {"snapshots", FIELD_CHOICE, .choices = fates,
     .help = "keep refuses a VM that has some; keep if absent"},
    {"nvram", FIELD_CHOICE, .choices = fates, .help = "UEFI variables; keep if absent"},
    {"checkpoints", FIELD_CHOICE, .choices = fates,
     .help = "keep refuses a VM that has some; keep if absent"},
    {NULL},
};

static const struct field vcpus_fields[] = {
    {"vcpus", FIELD_INTEGER, true, 1, 710, .help = "how many"},
    {"scope", FIELD_CHOICE, .choices = scopes,
     .help = "the running VM, its definition, or both; both if absent"},
    {NULL},
};

static const struct field memory_fields[] = {
    {"memory", FIELD_SIZE, true, MEMORY_MIN, MEMORY_MAX, .help = "how much"},
    {"scope", FIELD_CHOICE, .choices = scopes,
     .help = "the running VM, its definition, or both; both if absent"},
    {NULL},
};

static const struct field dimm_fields[] = {
    {"size", FIELD_SIZE, true, DIMM, MEMORY_MAX, .help = "how much; in whole 128 MiB"},
    {NULL},
};

static const struct field cpu_fields[] = {
    {"shares", FIELD_INTEGER, .min = 2, .max = 262144, .help = "weight beside other VMs"},
    {"quota", FIELD_INTEGER, .min = 0, .max = 100000,
     .help = "percent of a CPU that each vCPU may use; 0 = no limit"},
    {"scope", FIELD_CHOICE, .choices = scopes,
     .help = "the running VM, its definition, or both; both if absent"},
    {NULL},
};

static const struct field pin_fields[] = {
    {"vcpu", FIELD_INTEGER, true, 0, 709, .help = "which vCPU"},
    {"cpus", FIELD_TEXT, true, .max = 255, .help = "host CPUs, such as 0-3,6"},
    {"scope", FIELD_CHOICE, .choices = scopes,
     .help = "the running VM, its definition, or both; both if absent"},
    {NULL},
};

static const struct field set_numa_fields[] = {
    NUMA_FIELDS,
    {"scope", FIELD_CHOICE, .choices = scopes,
     .help = "the running VM, its definition, or both; both if absent"},
    {NULL},
};

static const struct field detach_disk_fields[] = {
    {"target", FIELD_NAME, true, .help = "the disk, such as vdb"},
    {"volume_fate", FIELD_CHOICE, .choices = fates, .help = "its volume; keep if absent"},
    {NULL},
};

static const struct field grow_fields[] = {
    {"target", FIELD_NAME, true, .help = "the disk, such as vda"},
    {"size", FIELD_SIZE, true, DISK_MIN, DISK_MAX, .help = "its new size"},
    {NULL},
};

static const struct field limit_disk_fields[] = {
    {"target", FIELD_NAME, true, .help = "the disk, such as vda"},
    {"read_bytes", FIELD_SIZE, .min = 0, .max = RATE_MAX, .help = "bytes a second; 0 = no limit"},
    {"write_bytes", FIELD_SIZE, .min = 0, .max = RATE_MAX, .help = "bytes a second"},
    {"read_iops", FIELD_INTEGER, .min = 0, .max = RATE_MAX, .help = "requests a second"},
    {"write_iops", FIELD_INTEGER, .min = 0, .max = RATE_MAX, .help = "requests a second"},
    {"scope", FIELD_CHOICE, .choices = scopes,
     .help = "the running VM, its definition, or both; both if absent"},
    {NULL},
};

static const struct field detach_nic_fields[] = {
    {"mac", FIELD_NAME, true, .help = "the NIC's MAC address"},
    {NULL},
};

static const struct field limit_nic_fields[] = {
    {"mac", FIELD_NAME, true, .help = "the NIC's MAC address"},
    {"in", FIELD_SIZE, .min = 0, .max = RATE_MAX,
     .help = "bytes a second towards the guest; 0 = no limit"},
    {"out", FIELD_SIZE, .min = 0, .max = RATE_MAX, .help = "bytes a second from the guest"},
    {"scope", FIELD_CHOICE, .choices = scopes,
     .help = "the running VM, its definition, or both; both if absent"},
    {NULL},
};

static const struct field snapshot_create_fields[] = {
    {"name", FIELD_NAME, true, .help = "the snapshot's name"},
    {"kind", FIELD_CHOICE, .choices = kinds,
     .help = "internal (with memory where the VM runs) or external; internal if absent"},
    {"memory", FIELD_BOOL, .help = "of a running VM, with its memory in a file (external)"},
    {"quiesce", FIELD_BOOL, .help = "have the guest agent freeze file systems (external)"},
    {NULL},
};

static const struct field snapshot_revert_fields[] = {
    {"name", FIELD_NAME, true, .help = "the snapshot's name"},
    {"start", FIELD_BOOL, .help = "start the VM where the snapshot holds no memory"},
    {NULL},
};

static const struct field snapshot_delete_fields[] = {
    {"name", FIELD_NAME, true, .help = "the snapshot's name"},
    {"merge", FIELD_CHOICE, .choices = merges,
     .help = "commit what is newer into the image below (if absent), or pull that up"},
    {NULL},
};

const struct field deed_common_fields[] = {
    {"dry_run", FIELD_BOOL, .help = "say what would be done, and do nothing"},
    {"key", FIELD_TEXT, .max = 128,
     .help = "a key of the caller's: asked again with the same key, the same task answers"},
    {"after", FIELD_INTEGER, .min = 1, .max = INT64_MAX, .help = "a task that must be done first"},
    {"batch", FIELD_NAME, .help = "a name that tasks share, to be limited together"},
    {"parallel", FIELD_INTEGER, .min = 1, .max = 1000, .help = "so many of the batch at once"},
    {"max_failures", FIELD_INTEGER, .min = 0, .max = 1000000,
     .help = "after more failures than this the rest of the batch is cancelled"},
    {NULL},
};

#define VM "/vherd/v1/vms/{vm}/"

#define ON_VM(ID, NAME, PATH, ROLE, FIELDS, SUMMARY, DETAILS)                                      \
    [ID] = {ID, NAME, VM PATH, ROLE, DEED_ON_VM, FIELDS, SUMMARY, DETAILS}

const struct deed deeds[DEED_MAX] = {
    [DEED_CREATE] = {DEED_CREATE, "vm.create", "/vherd/v1/vms", ROLE_ADMIN, DEED_ON_NEW,
                     create_fields, "Make a VM",
                     "Makes the volumes that are asked for and defines the VM. What a failure "
                     "leaves behind is removed again."},
    ON_VM(DEED_CLONE, "vm.clone", "clone", ROLE_ADMIN, clone_fields, "Make a copy of a VM",
          "Copies every disk (or puts overlays over them) and defines a VM with new "
          "addresses, and with fresh UEFI variables where it has UEFI. The origin must be off."),
    ON_VM(DEED_START, "vm.start", "start", ROLE_OPERATOR, none, "Start a VM",
          "A VM whose memory was saved goes on where it was."),
    ON_VM(DEED_SHUTDOWN, "vm.shutdown", "shutdown", ROLE_OPERATOR, shutdown_fields,
          "Ask the guest to shut down, and wait until it has",
          "Where the guest does not follow in time the task fails, or the VM is destroyed if "
          "fallback says so."),
    ON_VM(DEED_REBOOT, "vm.reboot", "reboot", ROLE_OPERATOR, none, "Ask the guest to reboot", ""),
    ON_VM(DEED_RESET, "vm.reset", "reset", ROLE_OPERATOR, none,
          "Reset a VM, as its reset button would", "The guest is not asked."),
    ON_VM(DEED_DESTROY, "vm.destroy", "destroy", ROLE_OPERATOR, none,
          "Switch a VM off, as if its power failed", "The guest is not asked."),
    ON_VM(DEED_PAUSE, "vm.pause", "pause", ROLE_OPERATOR, none, "Pause a VM's vCPUs", ""),
    ON_VM(DEED_RESUME, "vm.resume", "resume", ROLE_OPERATOR, none, "Let a paused VM go on", ""),
    ON_VM(DEED_SAVE, "vm.save", "save", ROLE_OPERATOR, none,
          "Save a VM's memory to disk and switch it off", "The next start goes on from there."),
    ON_VM(DEED_RESTORE, "vm.restore", "restore", ROLE_OPERATOR, none,
          "Start a VM from its saved memory", "Refused where none is saved."),
    ON_VM(DEED_RENAME, "vm.rename", "rename", ROLE_ADMIN, rename_fields,
          "Give a VM that is off another name",
          "Refused for one with UEFI, whose variables libvirt would leave behind."),
    ON_VM(DEED_SET, "vm.set", "set", ROLE_ADMIN, set_fields, "Change a VM's definition",
          "Takes effect at the next start; fields that are left out stay as they are."),
    ON_VM(DEED_DELETE, "vm.delete", "delete", ROLE_ADMIN, delete_fields, "Delete a VM that is off",
          "Says explicitly what becomes of its disks. A volume that another VM uses is kept."),
    ON_VM(DEED_SET_VCPUS, "vm.set-vcpus", "set-vcpus", ROLE_OPERATOR, vcpus_fields,
          "Plug or unplug vCPUs", "Says what was asked, what libvirt has and what the guest uses."),
    ON_VM(DEED_SET_MEMORY, "vm.set-memory", "set-memory", ROLE_OPERATOR, memory_fields,
          "Move a VM's balloon",
          "Says what was asked and what the guest has let happen within ten seconds."),
    ON_VM(DEED_PLUG_MEMORY, "vm.plug-memory", "plug-memory", ROLE_OPERATOR, dimm_fields,
          "Plug memory into a VM, as a DIMM",
          "Into the running VM and its definition; a VM has room for it that was made with "
          "plug_memory. Says what was asked, what libvirt has and what the guest uses."),
    ON_VM(DEED_UNPLUG_MEMORY, "vm.unplug-memory", "unplug-memory", ROLE_OPERATOR, dimm_fields,
          "Unplug a DIMM of this size", "Waits until the guest has let it go."),
    ON_VM(DEED_SET_CPU, "vm.set-cpu", "set-cpu", ROLE_OPERATOR, cpu_fields,
          "Set CPU shares and quota", ""),
    ON_VM(DEED_PIN, "vm.pin", "pin", ROLE_OPERATOR, pin_fields, "Pin a vCPU to host CPUs", ""),
    ON_VM(DEED_SET_NUMA, "vm.set-numa", "set-numa", ROLE_OPERATOR, set_numa_fields,
          "Place a VM on NUMA nodes",
          "Its memory, and with pin_vcpus its vCPUs: the first ones on the first node, and so on. "
          "The "
          "mode of a running VM cannot change, only the nodes of a strict one."),
    ON_VM(DEED_ATTACH_DISK, "vm.attach-disk", "attach-disk", ROLE_ADMIN, disk_fields,
          "Attach a disk", "Makes its volume where none is named."),
    ON_VM(DEED_DETACH_DISK, "vm.detach-disk", "detach-disk", ROLE_ADMIN, detach_disk_fields,
          "Detach a disk", "Waits until the guest has let it go."),
    ON_VM(DEED_GROW_DISK, "vm.grow-disk", "grow-disk", ROLE_ADMIN, grow_fields, "Grow a disk",
          "While the VM runs or is off. Shrinking is refused."),
    ON_VM(DEED_LIMIT_DISK, "vm.limit-disk", "limit-disk", ROLE_OPERATOR, limit_disk_fields,
          "Throttle a disk", ""),
    ON_VM(DEED_ATTACH_NIC, "vm.attach-nic", "attach-nic", ROLE_ADMIN, nic_fields,
          "Attach a network interface", ""),
    ON_VM(DEED_DETACH_NIC, "vm.detach-nic", "detach-nic", ROLE_ADMIN, detach_nic_fields,
          "Detach a network interface", ""),
    ON_VM(DEED_LIMIT_NIC, "vm.limit-nic", "limit-nic", ROLE_OPERATOR, limit_nic_fields,
          "Throttle a network interface", ""),
    ON_VM(DEED_SNAPSHOT_CREATE, "snapshot.create", "snapshots/create", ROLE_OPERATOR,
          snapshot_create_fields, "Take a snapshot",
          "An external one puts overlays over the disks; of a running VM it may hold the memory "
          "too, or be taken with the guest's file systems frozen."),
    ON_VM(DEED_SNAPSHOT_REVERT, "snapshot.revert", "snapshots/revert", ROLE_OPERATOR,
          snapshot_revert_fields, "Go back to a snapshot",
          "What the VM did since the last snapshot is lost; snapshots stay. Owner and labels stay "
          "as they are. What would break half-way is refused with the reason, such as a VM with "
          "checkpoints."),
    ON_VM(DEED_SNAPSHOT_DELETE, "snapshot.delete", "snapshots/delete", ROLE_OPERATOR,
          snapshot_delete_fields, "Delete a snapshot, keeping what is newer",
          "The images of an external one are merged. Where that breaks off it is carried on."),
};

const struct deed *deed_match(const char *path, char **ret_vm)
{
    *ret_vm = NULL;
    for (int i = 0; i < DEED_MAX; i++) {
        const char *pattern = deeds[i].path;
        const char *open = strchr(pattern, '{');
        if (!open && strcmp(pattern, path) == 0)
            return &deeds[i];
        size_t before = open ? (size_t)(open - pattern) : 0;
        if (!open || strncmp(pattern, path, before) != 0)
            continue;
        size_t len = strcspn(path + before, "/");
        if (len == 0 || strcmp(path + before + len, strchr(open, '}') + 1) != 0)
            continue;
        *ret_vm = mem_strndup(path + before, len);
        return &deeds[i];
    }
    return NULL;
}

const struct deed *deed_by_name(const char *name)
{
    for (int i = 0; i < DEED_MAX; i++)
        if (strcmp(deeds[i].name, name) == 0)
            return &deeds[i];
    return NULL;
}
