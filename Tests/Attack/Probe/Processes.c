// Ways to other programs and processes.
#define _GNU_SOURCE
#include "Table.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define LOADER "/lib64/ld-linux-x86-64.so.2"
#else
#define LOADER "/lib/ld-linux-aarch64.so.1"
#endif

static char *const shell[] = {"sh", "-c", "exit 0", NULL};
static char *const loaded[] = {"ld.so", "/bin/sh", "-c", "exit 0", NULL};
static char *const nothing[] = {NULL};

static int given_program(void) { return open("/bin/sh", O_RDONLY); }
static int given_program_in_memory(void) {
    int memory = memfd_create("sh", 0), program = given_program();
    char chunk[65536];
    ssize_t count;
    while ((count = read(program, chunk, sizeof(chunk))) > 0) {
        if (write(memory, chunk, (size_t)count) != count) return -1;
    }
    return count == 0 ? memory : -1;
}

static int try_loader(const struct row *row) {
    (void)row;
    close(STDERR_FILENO);
    return seen(execve(LOADER, loaded, nothing));
}

// Landlock confines signals since its ABI 6.
static int try_signal(const struct row *row) {
    if (form == ATTACK_SSH && facts.landlock < 6) return NOT_HERE;
    long target = row->arguments[1] == SUPERVISOR ? facts.supervisor : row->arguments[1] == GATE ? facts.gate : row->arguments[1];
    if (row->arguments[1] == OTHER) target = facts.other;
    if (row->arguments[0] == SYS_kill) return seen(kill((pid_t)(row->arguments[2] ? -target : target), 0));
    if (row->arguments[0] == SYS_tgkill) return seen(syscall(SYS_tgkill, target, target, 0));
    if (row->arguments[0] == SYS_tkill) return seen(syscall(SYS_tkill, target, 0));
    int pidfd = (int)syscall(SYS_pidfd_open, target, 0);
    return pidfd < 0 ? errno : seen(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
}

static int try_more_processes(const struct row *row) {
    (void)row;
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return seen(syscall(SYS_prlimit64, 0, RLIMIT_NPROC, &limit, NULL));
}

static int try_more_descriptors(const struct row *row) {
    (void)row;
    struct rlimit limit = {4096, 4096};
    return seen(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &limit, NULL));
}

static int try_core_size(const struct row *row) {
    (void)row;
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    return seen(syscall(SYS_prlimit64, 0, RLIMIT_CORE, &limit, NULL));
}

#define EXECUTE(what, where) {.attempt = what, .number = SYS_execve, .path = where, .arguments = {PATH, (long)shell, (long)nothing}, .worker = KILLED, .ssh = EACCES}
#define SIGNAL(what, call, target, group) {.attempt = what, .try = try_signal, .arguments = {call, target, group}, .worker = KILLED, .ssh = EPERM}
#define NAMESPACE(what, flag) CALL("start a process in a namespace of its own: " what, SYS_clone, KILLED, KILLED, (flag) | SIGCHLD, 0)
#define PRCTL(what, w, s, ...) CALL(what, SYS_prctl, w, s, __VA_ARGS__)

const struct row process_rows[] = {
    EXECUTE("execute a shell", "/bin/sh"),
    {.attempt = "execute the worker once more", .number = SYS_execve, .path = "/proc/self/exe", .arguments = {PATH, (long)shell, (long)nothing}, .worker = KILLED, .ssh = SKIP},
    EXECUTE("execute a script that it may read", "/etc/passwd"),
    EXECUTE("execute a library", "/lib/x86_64-linux-gnu/libc.so.6"),
    {.attempt = "execute a program that it was given, by /proc", .number = SYS_execve, .path = "/proc/self/fd/0", .given = given_program, .arguments = {PATH, (long)shell, (long)nothing}, .worker = KILLED, .ssh = EACCES},
    {.attempt = "execute a program that it was given (execveat)", .number = SYS_execveat, .given = given_program, .arguments = {HELD, (long)"", (long)shell, (long)nothing, AT_EMPTY_PATH}, .worker = KILLED, .ssh = KILLED},
    {.attempt = "execute a program in memory (execveat)", .number = SYS_execveat, .given = given_program_in_memory, .arguments = {HELD, (long)"", (long)shell, (long)nothing, AT_EMPTY_PATH}, .worker = KILLED, .ssh = KILLED},
    {.attempt = "have the loader load a shell", .try = try_loader, .worker = KILLED, .ssh = NO_LOADER},
#ifdef SYS_fork
    {.attempt = "start a process (fork)", .number = SYS_fork, .worker = KILLED, .ssh = WORKS, .note = "it is confined alike"},
    {.attempt = "start a process (vfork)", .number = SYS_vfork, .worker = KILLED, .ssh = SKIP},
#endif
    {.attempt = "start a process (clone)", .number = SYS_clone, .arguments = {SIGCHLD}, .worker = KILLED, .ssh = WORKS, .note = "it is confined alike"},
    CALL("start a process (clone3)", SYS_clone3, ENOSYS, ENOSYS, ZEROS, 88),
    CALL("start a process whose parent is the supervisor (CLONE_PARENT)", SYS_clone, KILLED, KILLED, CLONE_PARENT | SIGCHLD, 0),
    NAMESPACE("users", CLONE_NEWUSER), NAMESPACE("mounts", CLONE_NEWNS), NAMESPACE("processes", CLONE_NEWPID), NAMESPACE("network", CLONE_NEWNET),
    NAMESPACE("IPC", CLONE_NEWIPC), NAMESPACE("names", CLONE_NEWUTS), NAMESPACE("cgroups", CLONE_NEWCGROUP),
    CALL("go to namespaces of its own (unshare): users", SYS_unshare, KILLED, KILLED, CLONE_NEWUSER),
    CALL("go to namespaces of its own (unshare): network", SYS_unshare, KILLED, KILLED, CLONE_NEWNET),
    CALL("go to the namespaces of another process (setns)", SYS_setns, KILLED, KILLED, 0, 0),
    CALL("wait for a process (wait4)", SYS_wait4, KILLED, SKIP, -1, 0, WNOHANG, 0),
    CALL("trace the supervisor (PTRACE_ATTACH)", SYS_ptrace, KILLED, KILLED, PTRACE_ATTACH, SUPERVISOR, 0, 0),
    CALL("trace the gate (PTRACE_SEIZE)", SYS_ptrace, KILLED, KILLED, PTRACE_SEIZE, GATE, 0, 0),
    CALL("be traced (PTRACE_TRACEME)", SYS_ptrace, KILLED, KILLED, PTRACE_TRACEME, 0, 0, 0),
    CALL("read the supervisor's memory (process_vm_readv)", SYS_process_vm_readv, KILLED, KILLED, SUPERVISOR, ZEROS, 1, ZEROS, 1, 0),
    CALL("write the supervisor's memory (process_vm_writev)", SYS_process_vm_writev, KILLED, KILLED, SUPERVISOR, ZEROS, 1, ZEROS, 1, 0),
    CALL("read the gate's memory (process_vm_readv)", SYS_process_vm_readv, KILLED, KILLED, GATE, ZEROS, 1, ZEROS, 1, 0),
    CALL("write another process's memory (process_vm_writev)", SYS_process_vm_writev, KILLED, KILLED, OTHER, ZEROS, 1, ZEROS, 1, 0),
    {.attempt = "name the supervisor (pidfd_open)", .number = SYS_pidfd_open, .arguments = {SUPERVISOR, 0}, .worker = KILLED, .ssh = WORKS, .note = "a name gives no right"},
    CALL("take a descriptor of the supervisor (pidfd_getfd)", SYS_pidfd_getfd, KILLED, KILLED, 0, 3, 0),
    SIGNAL("signal the supervisor (pidfd_send_signal)", SYS_pidfd_send_signal, SUPERVISOR, 0),
    SIGNAL("signal the supervisor (kill)", SYS_kill, SUPERVISOR, 0),
    SIGNAL("signal the gate (kill)", SYS_kill, GATE, 0),
    SIGNAL("signal process 1 (kill)", SYS_kill, 1, 0),
    SIGNAL("signal another process of the user (kill)", SYS_kill, OTHER, 0),
    SIGNAL("signal the gate's group (kill)", SYS_kill, GATE, 1),
    SIGNAL("signal the supervisor (tgkill)", SYS_tgkill, SUPERVISOR, 0),
    SIGNAL("signal the gate (tkill)", SYS_tkill, GATE, 0),
    CALL("signal every process (kill)", SYS_kill, KILLED, SKIP, -1, 0),
    CALL("signal the supervisor with a value (rt_sigqueueinfo)", SYS_rt_sigqueueinfo, KILLED, KILLED, SUPERVISOR, SIGTERM, ZEROS),
    CALL("signal a thread of the gate with a value (rt_tgsigqueueinfo)", SYS_rt_tgsigqueueinfo, KILLED, KILLED, GATE, GATE, SIGTERM, ZEROS),
    CALL("leave its process group (setpgid)", SYS_setpgid, KILLED, KILLED, 0, 0),
    CALL("leave its session (setsid)", SYS_setsid, KILLED, KILLED, 0),
    CALL("change the supervisor's limits (prlimit64)", SYS_prlimit64, KILLED, KILLED, SUPERVISOR, RLIMIT_NOFILE, ZEROS, 0),
    CALL("change its limits (setrlimit)", SYS_setrlimit, KILLED, KILLED, RLIMIT_NOFILE, ZEROS),
    {.attempt = "have more descriptors than its limit", .try = try_more_descriptors, .worker = KILLED, .ssh = EPERM},
    {.attempt = "have more processes than its limit", .try = try_more_processes, .worker = KILLED, .ssh = EPERM},
    {.attempt = "allow itself core files", .try = try_core_size, .worker = KILLED, .ssh = EPERM},
    CALL("move the supervisor to one processor (sched_setaffinity)", SYS_sched_setaffinity, KILLED, KILLED, SUPERVISOR, 8, ZEROS),
    CALL("get ahead of others (sched_setscheduler)", SYS_sched_setscheduler, KILLED, EPERM, 0, 1, ZEROS),
    CALL("get ahead of others at disks (ioprio_set)", SYS_ioprio_set, KILLED, EPERM, 1, 0, 0),
    CALL("compare descriptors with the supervisor (kcmp)", SYS_kcmp, KILLED, KILLED, SELF, SUPERVISOR, 0, 0, 0),
    CALL("move the supervisor's pages (move_pages)", SYS_move_pages, KILLED, KILLED, SUPERVISOR, 0, 0, 0, 0, 0),
    CALL("advise the supervisor's memory (process_madvise)", SYS_process_madvise, KILLED, KILLED, 0, 0, 0, 0, 0),
    PRCTL("be dumpable again (PR_SET_DUMPABLE)", KILLED, KILLED, PR_SET_DUMPABLE, 1),
    PRCTL("be traced by anybody (PR_SET_PTRACER)", KILLED, KILLED, PR_SET_PTRACER, -1),
    PRCTL("get privileges again (PR_SET_NO_NEW_PRIVS)", KILLED, KILLED, PR_SET_NO_NEW_PRIVS, 0),
    PRCTL("outlive the supervisor (PR_SET_PDEATHSIG)", KILLED, KILLED, PR_SET_PDEATHSIG, 0),
    PRCTL("adopt processes (PR_SET_CHILD_SUBREAPER)", KILLED, KILLED, PR_SET_CHILD_SUBREAPER, 1),
    PRCTL("raise an ambient capability (PR_CAP_AMBIENT)", KILLED, KILLED, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 21),
    PRCTL("change what its memory is said to be (PR_SET_MM)", KILLED, KILLED, PR_SET_MM, 1, 0),
    PRCTL("have its system calls go elsewhere (PR_SET_SYSCALL_USER_DISPATCH)", KILLED, KILLED, 59, 1, 0, 0),
    PRCTL("change its securebits (PR_SET_SECUREBITS)", KILLED, KILLED, PR_SET_SECUREBITS, 0),
    CALL("become another kind of process (personality)", SYS_personality, KILLED, KILLED, 0x0400000),
    CALL("become another user (setuid)", SYS_setuid, KILLED, KILLED, 0),
    CALL("become another user (setresuid)", SYS_setresuid, KILLED, KILLED, 0, 0, 0),
    CALL("become another user for files (setfsuid)", SYS_setfsuid, KILLED, KILLED, 0),
    CALL("join a group (setgid)", SYS_setgid, KILLED, KILLED, 0),
    CALL("join groups (setgroups)", SYS_setgroups, KILLED, KILLED, 0, 0),
    CALL("get capabilities (capset)", SYS_capset, KILLED, KILLED, ZEROS, ZEROS),
};
const size_t process_row_count = COUNT(process_rows);
