// What Swift cannot import: macros, variadic calls, and kernel interfaces that are newer than the headers of Debian 12.
// There is no policy here. A function that fails returns -1 and sets errno unless its comment says otherwise.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

// Reads peer credentials, unix(7) SO_PEERCRED. The headers declare struct ucred only with _GNU_SOURCE.
struct csd_peer_credentials {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};
int csd_peer_credentials(int fd, struct csd_peer_credentials *out);

// Sends bytes as one message, and these descriptors with them, at most CSD_MAXIMUM_DESCRIPTORS, sendmsg(2), cmsg(3). Raises
// no SIGPIPE.
#define CSD_MAXIMUM_DESCRIPTORS 3
ssize_t csd_send_message(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count);
// The same, and EAGAIN where there is no room, also on a socket that blocks.
ssize_t csd_send_message_at_once(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count);
// Receives one message and its descriptors, which the caller owns. There is room for one more than a message may have, so
// that it is seen; the kernel drops further ones. `fds` has CSD_RECEIVED_DESCRIPTORS places. `*flags` is msg_flags (MSG_TRUNC, MSG_CTRUNC).
#define CSD_RECEIVED_DESCRIPTORS 4
ssize_t csd_receive_message(int socket, void *bytes, size_t capacity, int *fds, size_t *fd_count, int *flags);

// The same for a side that takes none: the kernel drops them, without the wait that closing one may mean, and says MSG_CTRUNC.
ssize_t csd_receive_bytes(int socket, void *bytes, size_t capacity, int *flags);
// SO_PASSRIGHTS 0 (Linux 6.16): who sends one here fails. -1 where the kernel does not know it.
int csd_refuse_descriptors(int socket);

// memfd_create(2), fcntl(2) F_ADD_SEALS. A sealed file cannot be written, grow or shrink; csd_memfd_is_sealed returns 1
// for it, else 0.
int csd_memfd_create(const char *name);
int csd_memfd_seal(int fd);
int csd_memfd_is_sealed(int fd);

// pidfd_open(2), pidfd_send_signal(2), waitid(2) P_PIDFD.
int csd_pidfd_open(pid_t pid);
int csd_pidfd_send_signal(int pidfd, int signal);

// splice(2) from one pipe to another, neither of which is waited for. Returns the count, 0 at the end, -1 with errno.
ssize_t csd_splice(int from, int to, size_t count);
// Returns 1 if the process has ended, 0 if it still runs. `*code` is CLD_EXITED, CLD_KILLED or CLD_DUMPED, `*status`
// the exit code or the signal.
int csd_pidfd_reap(int pidfd, int *code, int *status);
#define CSD_CLD_EXITED 1

// Blocks these signals and returns a non-blocking descriptor for them, signalfd(2).
int csd_signal_descriptor(const int *signals, size_t count);
// Returns the next signal; 0 if none has come.
int csd_signal_next(int fd);

// epoll(7) with a 64-bit token for each descriptor, because Swift cannot import struct epoll_event, a packed union.
// `wanted` is READABLE, WRITABLE or 0. With EDGE, a descriptor is reported only when it becomes ready. A hang-up is
// always reported.
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
// Returns how many descriptors are ready, at most 64. The timeout is in milliseconds; -1 waits for ever.
int csd_epoll_wait(int epoll, struct csd_epoll_ready *ready, size_t capacity, int timeout);

// Opens a pipe whose ends are close-on-exec, pipe2(2).
int csd_pipe(int *read_end, int *write_end);

// Starts to write all of the file to the disk and does not wait for it, sync_file_range(2) SYNC_FILE_RANGE_WRITE.
int csd_start_writeback(int descriptor);

// Starts a program, posix_spawn(3). descriptors[i] becomes i in the child and must be greater than i, so that none is
// overwritten before it is copied. The child has no other descriptor, default signal actions and no blocked signal, and
// is in a process group of its own if `own_group` is 1. Returns 0 or an errno.
int csd_spawn(pid_t *pid, const char *path, char *const arguments[], char *const environment[], const int *descriptors,
              size_t count, int own_group);

// connect(2) of a non-blocking socket to a path of AF_UNIX, in a child process: to look a path up may mean to wait for its file
// system, for ever. The child has no other descriptor and no capabilities, shares this process's end, and exits with 0 or the
// errno of connect. Returns a pidfd. The child has this process's memory, and works in `memory`, CSD_CONNECT_MEMORY bytes that
// are aligned to 16 and must stay until it has ended.
#define CSD_CONNECT_MEMORY 16384
int csd_connect_apart(void *memory, int socket, const char *path);
// What lies at the path, lstat(2), once that child has failed to connect: one of these, and the owner of a socket.
#define CSD_FOUND_NOTHING 0
#define CSD_FOUND_NO_DIRECTORY 1
#define CSD_FOUND_SOCKET 2
#define CSD_FOUND_LINK 3
#define CSD_FOUND_OTHER 4
int csd_connect_found(const void *memory, uint32_t *owner);

// fstat(2), which some versions of the C library make a call that also takes paths.
int csd_file_status(int fd, struct stat *status);

// prctl(2).
int csd_set_no_new_privs(void);
int csd_set_undumpable(void);
int csd_set_parent_death_signal(int signal);
// Installs a handler that kills the caller's whole process group. It must be async-signal-safe, so it cannot be Swift.
int csd_end_process_group_on(int signal);

// Installs a handler that has SIGALRM end this process some seconds later, whatever it waits for then.
int csd_end_process_on(int signal, unsigned int seconds);

// Empties the calling thread's capability sets: ambient, inheritable, permitted, effective, and bounding if the thread
// may; prctl(2) PR_CAPBSET_DROP, capset(2). The caller must be the only thread.
int csd_drop_capabilities(void);

// Counts the threads of this process in /proc/self/task; returns -1 if that cannot be read.
int csd_thread_count(void);
// Sets the calling thread's name in /proc, of which 15 bytes are kept, prctl(2) PR_SET_NAME.
int csd_name_thread(const char *name);

// Whether a filter of system calls can be installed, seccomp(2): 0, or the errno that the kernel or what this process runs in has
// for it. Nothing is installed.
int csd_seccomp_missing(void);

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
#define CSD_LANDLOCK_FS_REMOVE_FILE (1ULL << 5)
#define CSD_LANDLOCK_FS_MAKE_REG (1ULL << 8)
#define CSD_LANDLOCK_NET_BIND_TCP (1ULL << 0)
#define CSD_LANDLOCK_NET_CONNECT_TCP (1ULL << 1)
#define CSD_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)
#define CSD_LANDLOCK_SCOPE_SIGNAL (1ULL << 1)

int csd_landlock_abi(void);
int csd_landlock_create_ruleset(const struct csd_landlock_ruleset_attr *attr, size_t size);
int csd_landlock_add_path(int ruleset, const struct csd_landlock_path_beneath_attr *attr);
int csd_landlock_restrict_self(int ruleset);

// Notifications of a seccomp filter, seccomp_unotify(2). `receive` takes the next one: its id, and the first argument of the
// system call that waits for an answer. It may wait, unless poll(2) says that the listener is readable. `install` puts a copy of
// `source` in the place of the descriptor `target` of the caller, which has to run for that: it is waited for so many milliseconds
// at most, and then errno is EINTR and nothing was done. `answer` has the system call return 0, or fail with `error`. Each
// returns -1 with ENOENT where the caller has gone.
int csd_notification_receive(int listener, uint64_t *id, int *argument);
int csd_notification_install(int listener, uint64_t id, int source, int target, int milliseconds);
int csd_notification_answer(int listener, uint64_t id, int error);

// open(2) O_PATH, which the headers define only with _GNU_SOURCE.
#define CSD_O_PATH 010000000

// open(2) O_DIRECT, which the headers define only with _GNU_SOURCE.
#if defined(__x86_64__)
#define CSD_O_DIRECT 040000
#elif defined(__aarch64__)
#define CSD_O_DIRECT 0200000
#endif

// open(2) O_TMPFILE, which the headers define only with _GNU_SOURCE.
#define CSD_O_TMPFILE (020000000 | 0200000)

// openat2(2). Some distributions have no header for it.
#define CSD_RESOLVE_NO_MAGICLINKS 0x02
int csd_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve);

// ioctl(2) requests that the syscall table names, from asm-generic/ioctls.h and linux/sockios.h.
#define CSD_TCGETS 0x5401
#define CSD_TIOCGWINSZ 0x5413
#define CSD_FIONREAD 0x541B
#define CSD_FIONBIO 0x5421
#define CSD_SIOCGIFNAME 0x8910
#define CSD_SIOCGIFINDEX 0x8933

// memrchr(3), which the headers declare only with _GNU_SOURCE.
const void *csd_memrchr(const void *bytes, int byte, size_t count);

// fcntl(2) command, which the headers define only with _GNU_SOURCE.
#define CSD_F_GET_SEALS 1034
#define CSD_F_GETPIPE_SZ 1032

// prctl(2) operations that the syscall table names.
#define CSD_PR_SET_NAME 15
#define CSD_PR_GET_DUMPABLE 3
#define CSD_PR_SET_DUMPABLE 4
#define CSD_PR_CAPBSET_READ 23
#define CSD_PR_SET_VMA 0x53564d41

#endif
