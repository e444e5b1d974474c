// What Swift cannot import: macros, variadic calls and kernel interfaces newer than Debian 12's headers. No policy here.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

// Peer credentials, unix(7) SO_PEERCRED (struct ucred hides behind _GNU_SOURCE).
struct csd_peer_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
int csd_peer_credentials(int fd, struct csd_peer_credentials *out);

// One SOCK_SEQPACKET message with at most one descriptor, cmsg(3). `*fd` is -1 where none came.
ssize_t csd_send_message(int socket, const void *bytes, size_t count, int fd);
// `*surplus` counts descriptors beyond the first (closed here), `*flags` is msg_flags (MSG_TRUNC, MSG_CTRUNC).
ssize_t csd_receive_message(int socket, void *bytes, size_t capacity, int *fd, int *surplus, int *flags);

// memfd_create(2), fcntl(2) F_ADD_SEALS.
int csd_memfd_create(const char *name);
int csd_memfd_seal(int fd);
int csd_memfd_is_sealed(int fd);

// pidfd_open(2), pidfd_send_signal(2), waitid(2) P_PIDFD.
int csd_pidfd_open(pid_t pid);
int csd_pidfd_send_signal(int pidfd, int signal);
// 1 = ended (`*code` is CLD_EXITED/CLD_KILLED/CLD_DUMPED, `*status` the exit code or signal), 0 = still running, -1 = errno.
int csd_pidfd_reap(int pidfd, int *code, int *status);
#define CSD_CLD_EXITED 1
#define CSD_CLD_KILLED 2
#define CSD_CLD_DUMPED 3

// signalfd(2): blocks these signals and returns a non-blocking descriptor for them; csd_signal_next is 0 when none waits.
int csd_signal_descriptor(const int *signals, size_t count);
int csd_signal_next(int fd);

// epoll(7) with a 64-bit token for each descriptor (struct epoll_event is a packed union). `wanted` is 0, READABLE or
// WRITABLE, with EDGE only told when it has become so; a hang-up is reported in any case.
#define CSD_EPOLL_READABLE 1U
#define CSD_EPOLL_HANGUP 2U
#define CSD_EPOLL_WRITABLE 4U
#define CSD_EPOLL_EDGE 8U
struct csd_epoll_ready {
    uint64_t token;
    uint32_t what;
};
int csd_epoll_create(void);
int csd_epoll_add(int epoll, int fd, uint64_t token, uint32_t wanted);
int csd_epoll_remove(int epoll, int fd);
// Up to 64 events; timeout in milliseconds, -1 for none.
int csd_epoll_wait(int epoll, struct csd_epoll_ready *ready, size_t capacity, int timeout);

// pipe2(2), both ends close-on-exec.
int csd_pipe(int *read_end, int *write_end);

// sync_file_range(2) SYNC_FILE_RANGE_WRITE over the whole file: starts writing to the disk what is not under way yet.
int csd_start_writeback(int descriptor);

// posix_spawn(3): descriptors[i] becomes i in the child and nothing else is open there; default signals, none blocked;
// a process group of its own where `own_group` is 1. Returns 0 or an errno. The descriptors must lie above the numbers
// that they become.
int csd_spawn(pid_t *pid, const char *path, char *const arguments[], char *const environment[], const int *descriptors,
              size_t count, int own_group);

// prctl(2).
int csd_set_no_new_privs(void);
int csd_set_undumpable(void);
int csd_set_parent_death_signal(int signal);
// Installs a handler that ends the caller's whole process group: async-signal-safe, so it cannot be Swift.
int csd_end_process_group_on(int signal);

// Empties the calling thread's capability sets: bounding (where it may), ambient, inheritable, permitted, effective;
// prctl(2) PR_CAPBSET_DROP, capset(2). The caller has one thread. Returns 0, or -1 with errno.
int csd_drop_capabilities(void);

// Threads of this process, from /proc/self/task; -1 where unreadable.
int csd_thread_count(void);
// The calling thread's name in /proc, of which 15 bytes are kept, prctl(2) PR_SET_NAME.
int csd_name_thread(const char *name);

// Landlock, Documentation/userspace-api/landlock.rst. The structures follow the kernel's uapi up to ABI 6.
struct csd_landlock_ruleset_attr {
    uint64_t handled_access_fs;
    uint64_t handled_access_net;
    uint64_t scoped;
};
struct csd_landlock_path_beneath_attr {
    uint64_t allowed_access;
    int32_t parent_fd;
} __attribute__((packed));

#define CSD_LANDLOCK_FS_EXECUTE (1ULL << 0)
#define CSD_LANDLOCK_FS_READ_FILE (1ULL << 2)
#define CSD_LANDLOCK_FS_READ_DIR (1ULL << 3)
#define CSD_LANDLOCK_FS_WRITE_FILE (1ULL << 1)
#define CSD_LANDLOCK_NET_BIND_TCP (1ULL << 0)
#define CSD_LANDLOCK_NET_CONNECT_TCP (1ULL << 1)
#define CSD_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define CSD_LANDLOCK_SCOPE_SIGNAL (1ULL << 1)

int csd_landlock_abi(void);
int csd_landlock_create_ruleset(const struct csd_landlock_ruleset_attr *attr, size_t size);
int csd_landlock_add_path(int ruleset, const struct csd_landlock_path_beneath_attr *attr);
int csd_landlock_restrict_self(int ruleset);

// open(2) O_PATH (hides behind _GNU_SOURCE).
#define CSD_O_PATH 010000000

// open(2) O_TMPFILE (hides behind _GNU_SOURCE).
#define CSD_O_TMPFILE (020000000 | 0200000)

// openat2(2), whose header is newer than some distributions'.
#define CSD_RESOLVE_NO_MAGICLINKS 0x02
#define CSD_RESOLVE_BENEATH 0x08
int csd_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve);

// ioctl(2) request numbers that the syscall table names (asm-generic/ioctls.h; macros with casts).
#define CSD_TCGETS 0x5401
#define CSD_TIOCGWINSZ 0x5413
#define CSD_TIOCSTI 0x5412
#define CSD_FIONREAD 0x541B
#define CSD_FIONBIO 0x5421
#define CSD_SIOCGIFNAME 0x8910
#define CSD_SIOCGIFINDEX 0x8933

// fcntl(2) (hides behind _GNU_SOURCE).
#define CSD_F_GET_SEALS 1034

// prctl(2) operations that the syscall table names.
#define CSD_PR_SET_NAME 15
#define CSD_PR_GET_DUMPABLE 3
#define CSD_PR_SET_DUMPABLE 4
#define CSD_PR_CAPBSET_READ 23
#define CSD_PR_SET_VMA 0x53564d41

#endif
