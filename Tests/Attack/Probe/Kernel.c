// Ways into the kernel, and interfaces that nobody needs here.
#define _GNU_SOURCE
#include "Table.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// The entry of 32-bit programs, whose calls have other numbers.
static int try_foreign(const struct row *row) {
    (void)row;
#if defined(__x86_64__)
    long result;
    // 20 is getpid there.
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
    return result == getpid() ? WORKS : ENOSYS;
#else
    return NOT_HERE;
#endif
}

#define NOBODY(what, call, ...) CALL(what, call, KILLED, KILLED, __VA_ARGS__)

const struct row kernel_rows[] = {
    {.attempt = "enter the kernel as a 32-bit program", .try = try_foreign, .worker = KILLED, .ssh = KILLED},
#if defined(__x86_64__)
    NOBODY("enter the kernel by x32's numbers", 0x40000000 + SYS_getpid, 0),
#endif
    NOBODY("call what no kernel has", 0x7000, 0),
    NOBODY("have a ring of system calls (io_uring_setup)", SYS_io_uring_setup, 8, ZEROS),
    NOBODY("fill a ring of system calls (io_uring_enter)", SYS_io_uring_enter, 0, 1, 0, 0, 0, 0),
    NOBODY("register with a ring (io_uring_register)", SYS_io_uring_register, 0, 0, ZEROS, 1),
    NOBODY("read and write aside (io_setup)", SYS_io_setup, 1, ZEROS),
    NOBODY("load a program into the kernel (bpf)", SYS_bpf, 5, ZEROS, 48),
    NOBODY("observe the kernel (perf_event_open)", SYS_perf_event_open, ZEROS, 0, -1, -1, 0),
    NOBODY("answer page faults (userfaultfd)", SYS_userfaultfd, 0),
    NOBODY("read the kernel's keys (keyctl)", SYS_keyctl, 0, -3, 0),
    NOBODY("add a key (add_key)", SYS_add_key, ZEROS, ZEROS, ZEROS, 1, -3),
    NOBODY("ask for a key (request_key)", SYS_request_key, ZEROS, ZEROS, ZEROS, -3),
    NOBODY("load a filter that allows all (seccomp)", SYS_seccomp, 1, 0, ZEROS),
    NOBODY("load a filter with a listener (seccomp)", SYS_seccomp, 1, 8, ZEROS),
    NOBODY("load a filter (PR_SET_SECCOMP)", SYS_prctl, PR_SET_SECCOMP, 2, ZEROS),
    NOBODY("make a ruleset (landlock_create_ruleset)", SYS_landlock_create_ruleset, ZEROS, 8, 0),
    NOBODY("grant itself a path (landlock_add_rule)", SYS_landlock_add_rule, 0, 1, ZEROS, 0),
    NOBODY("enforce a ruleset (landlock_restrict_self)", SYS_landlock_restrict_self, 0, 0),
    NOBODY("mount", SYS_mount, ZEROS, ZEROS, ZEROS, 0, 0),
    NOBODY("unmount", SYS_umount2, ZEROS, 2),
    NOBODY("open a file system (fsopen)", SYS_fsopen, ZEROS, 0),
    NOBODY("open a mount (open_tree)", SYS_open_tree, -100, ZEROS, 1),
    NOBODY("move a mount (move_mount)", SYS_move_mount, -100, ZEROS, -100, ZEROS, 0),
    NOBODY("change the root directory (chroot)", SYS_chroot, ZEROS),
    NOBODY("change the root mount (pivot_root)", SYS_pivot_root, ZEROS, ZEROS),
    NOBODY("swap to a file (swapon)", SYS_swapon, ZEROS, 0),
    NOBODY("end the machine (reboot)", SYS_reboot, 0, 0, 0, 0),
    NOBODY("load another kernel (kexec_load)", SYS_kexec_load, 0, 0, 0, 0),
    NOBODY("load a module (init_module)", SYS_init_module, ZEROS, 0, ZEROS),
    NOBODY("load a module (finit_module)", SYS_finit_module, 0, ZEROS, 0),
    NOBODY("remove a module (delete_module)", SYS_delete_module, ZEROS, 0),
    NOBODY("read the kernel's log (syslog)", SYS_syslog, 3, ZEROS, 16),
    NOBODY("account processes (acct)", SYS_acct, 0),
    NOBODY("change quotas (quotactl)", SYS_quotactl, 0, 0, 0, 0),
    NOBODY("rename the machine (sethostname)", SYS_sethostname, ZEROS, 1),
    NOBODY("set the clock (clock_settime)", SYS_clock_settime, 0, ZEROS),
    NOBODY("tune the clock (adjtimex)", SYS_adjtimex, ZEROS),
    NOBODY("hang up the terminal (vhangup)", SYS_vhangup, 0),
#if defined(__x86_64__)
    NOBODY("reach devices (ioperm)", SYS_ioperm, 0, 1, 1),
    NOBODY("reach devices (iopl)", SYS_iopl, 3),
    NOBODY("change its segments (modify_ldt)", SYS_modify_ldt, 1, ZEROS, 16),
#endif
    NOBODY("share memory (shmget)", SYS_shmget, 0, 4096, 01600),
    NOBODY("share memory (shmat)", SYS_shmat, 0, 0, 0),
    NOBODY("share semaphores (semget)", SYS_semget, 0, 1, 01600),
    NOBODY("post a message (msgget)", SYS_msgget, 0, 01600),
    NOBODY("post a message (msgsnd)", SYS_msgsnd, 0, ZEROS, 1, 04000),
    NOBODY("open a queue of messages (mq_open)", SYS_mq_open, ZEROS, 0102, 0600, 0),
    NOBODY("start a timer that signals (timer_create)", SYS_timer_create, 0, 0, ZEROS),
    NOBODY("read signals (signalfd4)", SYS_signalfd4, -1, ZEROS, 8, 0),
};
const size_t kernel_row_count = COUNT(kernel_rows);
