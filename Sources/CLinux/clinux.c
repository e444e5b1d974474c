#define _GNU_SOURCE
#include "CLinux.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// The headers of Debian 12 define these, older ones may not. The numbers are the same on x86_64 and arm64.
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#define LANDLOCK_CREATE_RULESET_VERSION_FLAG 1U
#define LANDLOCK_RULE_PATH_BENEATH_TYPE 1

_Static_assert(sizeof(struct csd_landlock_ruleset_attr) == 24, "uapi layout");
_Static_assert(sizeof(struct csd_landlock_path_beneath_attr) == 12, "uapi layout");
_Static_assert(sizeof(struct csd_peer_credentials) == sizeof(struct ucred), "same as ucred");
_Static_assert(CSD_O_PATH == O_PATH, "open flag");
#if defined(__x86_64__)
_Static_assert(CSD_O_TMPFILE == O_TMPFILE, "open flag");
_Static_assert(CSD_O_DIRECT == O_DIRECT, "open flag");
#endif
_Static_assert(CSD_F_GET_SEALS == F_GET_SEALS && CSD_F_GETPIPE_SZ == F_GETPIPE_SZ, "fcntl command");
// Alignment must not make room for one more: what does not fit is dropped by the kernel, and what fits is closed here.
_Static_assert(CMSG_SPACE(CSD_RECEIVED_DESCRIPTORS * sizeof(int)) == CMSG_LEN(CSD_RECEIVED_DESCRIPTORS * sizeof(int)),
               "room for exactly so many descriptors");
_Static_assert(CSD_CLD_EXITED == CLD_EXITED, "wait code");

int csd_peer_credentials(int fd, struct csd_peer_credentials *out) {
    socklen_t length = sizeof(*out);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, out, &length);
}

static ssize_t send_message(
    int socket, const void *bytes, size_t count, const int *fds, size_t fd_count, int flags) {
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    union {
        char space[CMSG_SPACE(CSD_MAXIMUM_DESCRIPTORS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > CSD_MAXIMUM_DESCRIPTORS) {
        errno = EINVAL;
        return -1;
    }
    if (fd_count > 0) {
        size_t size = fd_count * sizeof(int);
        memset(&control, 0, sizeof(control));
        message.msg_control = control.space;
        message.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(header), fds, size);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL | flags);
}

ssize_t csd_send_message(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count) {
    return send_message(socket, bytes, count, fds, fd_count, 0);
}

ssize_t csd_send_message_at_once(int socket, const void *bytes, size_t count, const int *fds, size_t fd_count) {
    return send_message(socket, bytes, count, fds, fd_count, MSG_DONTWAIT);
}

ssize_t csd_receive_message(int socket, void *bytes, size_t capacity, int *fds, size_t *fd_count, int *flags) {
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    union {
        char space[CMSG_SPACE(CSD_RECEIVED_DESCRIPTORS * sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)};
    *fd_count = 0;
    *flags = 0;
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return received;
    *flags = message.msg_flags;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        // The kernel puts no more into the control data than there is room for, which is CSD_RECEIVED_DESCRIPTORS.
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count && *fd_count < CSD_RECEIVED_DESCRIPTORS; index++) {
            memcpy(&fds[(*fd_count)++], CMSG_DATA(header) + index * sizeof(int), sizeof(int));
        }
    }
    return received;
}

ssize_t csd_receive_bytes(int socket, void *bytes, size_t capacity, int *flags) {
    struct iovec part = {.iov_base = bytes, .iov_len = capacity};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    *flags = 0;
    ssize_t received = recvmsg(socket, &message, 0);
    if (received >= 0) *flags = message.msg_flags;
    return received;
}

int csd_refuse_descriptors(int socket) {
    int no = 0;
    return setsockopt(socket, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}

int csd_memfd_create(const char *name) { return (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING); }

// F_SEAL_WRITE waits for pages that something in the kernel still holds, and fails with EBUSY where they are held for long.
// No mapping of these files exists that the later seal would leave writable.
static const int all_seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE;

int csd_memfd_seal(int fd) { return fcntl(fd, F_ADD_SEALS, all_seals); }

int csd_memfd_is_sealed(int fd) {
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & all_seals) == all_seals;
}

int csd_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

ssize_t csd_splice(int from, int to, size_t count) {
    return splice(from, NULL, to, NULL, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
}

int csd_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int csd_pidfd_reap(int pidfd, int *code, int *status) {
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    // With WNOHANG no signal interrupts it, waitid(2) EINTR.
    if (waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -1;
    if (info.si_pid == 0) return 0;
    *code = info.si_code;
    *status = info.si_status;
    return 1;
}

int csd_signal_descriptor(const int *signals, size_t count) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t index = 0; index < count; index++) sigaddset(&set, signals[index]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int csd_signal_next(int fd) {
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info) ? (int)info.ssi_signo : 0;
}

int csd_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int csd_epoll_add(int epoll, int fd, uint64_t token, uint32_t wanted) {
    uint32_t events = ((wanted & CSD_EPOLL_READABLE) ? EPOLLIN : 0) | ((wanted & CSD_EPOLL_WRITABLE) ? EPOLLOUT : 0) |
                      ((wanted & CSD_EPOLL_EDGE) ? EPOLLET : 0);
    struct epoll_event event = {.events = events, .data = {.u64 = token}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int csd_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

int csd_epoll_wait(int epoll, struct csd_epoll_ready *ready, size_t capacity, int timeout) {
    struct epoll_event events[64];
    int count = epoll_wait(epoll, events, capacity < 64 ? (int)capacity : 64, timeout);
    for (int index = 0; index < count; index++) {
        ready[index].token = events[index].data.u64;
        ready[index].what = ((events[index].events & EPOLLIN) ? CSD_EPOLL_READABLE : 0) |
                            ((events[index].events & EPOLLOUT) ? CSD_EPOLL_WRITABLE : 0) |
                            ((events[index].events & (EPOLLHUP | EPOLLERR)) ? CSD_EPOLL_HANGUP : 0);
    }
    return count;
}

int csd_pipe(int *read_end, int *write_end) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -1;
    *read_end = ends[0];
    *write_end = ends[1];
    return 0;
}

int csd_start_writeback(int descriptor) { return sync_file_range(descriptor, 0, 0, SYNC_FILE_RANGE_WRITE); }

int csd_spawn(pid_t *pid, const char *path, char *const arguments[], char *const environment[], const int *descriptors,
              size_t count, int own_group) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int result = 0;
    for (size_t index = 0; index < count && result == 0; index++) {
        result = posix_spawn_file_actions_adddup2(&actions, descriptors[index], (int)index);
    }
    if (result == 0) result = posix_spawn_file_actions_addclosefrom_np(&actions, (int)count);
    if (result == 0 && own_group) result = posix_spawnattr_setpgroup(&attributes, 0);
    if (result == 0) result = posix_spawnattr_setsigmask(&attributes, &none);
    if (result == 0) result = posix_spawnattr_setsigdefault(&attributes, &all);
    if (result == 0) {
        short group = own_group ? POSIX_SPAWN_SETPGROUP : 0;
        result = posix_spawnattr_setflags(&attributes, group | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    if (result == 0) result = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return result;
}

// A system call that leaves errno alone: a child that has this process's memory has its errno as well.
static long quiet_syscall(long number, long a, long b, long c, long d) {
#if defined(__x86_64__)
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
    return result;
#elif defined(__aarch64__)
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
#else
#error "claude-ssh-daemon is for x86_64 and arm64"
#endif
}

struct connect_request {
    struct sockaddr_un address;
    int socket;
    pid_t parent;
    int found;
    uint32_t owner;
};

// The library's stat would set errno, which is the parent's here.
static long look(const char *path, int flags, struct stat *status) {
    return quiet_syscall(SYS_newfstatat, AT_FDCWD, (long)path, (long)status, flags);
}

static void look_there(struct connect_request *request) {
    struct stat status;
    char *path = request->address.sun_path;
    long result = look(path, AT_SYMLINK_NOFOLLOW, &status);
    if (result == 0) {
        request->owner = status.st_uid;
        request->found = S_ISSOCK(status.st_mode) ? CSD_FOUND_SOCKET
                         : S_ISLNK(status.st_mode) ? CSD_FOUND_LINK
                                                   : CSD_FOUND_OTHER;
        return;
    }
    char *slash = path;
    for (char *at = path; *at; at++) {
        if (*at == '/') slash = at;
    }
    if (result != -ENOENT || slash == path) return;
    *slash = 0;
    // A link that leads nowhere is no directory, and none can be made in its place.
    if (look(path, 0, &status) == -ENOENT && look(path, AT_SYMLINK_NOFOLLOW, &status) == -ENOENT) {
        request->found = CSD_FOUND_NO_DIRECTORY;
    }
}

static int connect_apart(void *given) {
    struct connect_request *request = given;
    quiet_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0);
    if (quiet_syscall(SYS_getppid, 0, 0, 0, 0) != request->parent) return EIO;
    // The table of descriptors is the child's own.
    if (request->socket > 0) quiet_syscall(SYS_close_range, 0, request->socket - 1, 0, 0);
    quiet_syscall(SYS_close_range, request->socket + 1, ~0U, 0, 0);
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    long result = quiet_syscall(SYS_capset, (long)&header, (long)none, 0, 0);
    if (result == 0) {
        result = quiet_syscall(SYS_connect, request->socket, (long)&request->address, sizeof(request->address), 0);
        if (result < 0) look_there(request);
    }
    return (int)-result;
}

int csd_connect_found(const void *memory, uint32_t *owner) {
    const struct connect_request *request = memory;
    *owner = request->owner;
    return request->found;
}

int csd_file_status(int fd, struct stat *status) { return (int)syscall(SYS_fstat, fd, status); }

int csd_connect_apart(void *memory, int socket, const char *path) {
    struct connect_request *request = memory;
    size_t length = strlen(path);
    memset(&request->address, 0, sizeof(request->address));
    if (length >= sizeof(request->address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    request->address.sun_family = AF_UNIX;
    memcpy(request->address.sun_path, path, length);
    request->socket = socket;
    request->parent = getpid();
    request->found = CSD_FOUND_NOTHING;
    request->owner = 0;
    // As posix_spawn does it, without waiting: fork would copy the page tables, which takes longer than all else.
    int pidfd = -1;
    pid_t child = clone(connect_apart, (char *)memory + CSD_CONNECT_MEMORY, CLONE_VM | CLONE_PIDFD | SIGCHLD, request, &pidfd);
    return child < 0 ? -1 : pidfd;
}

int csd_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve) {
    struct {
        uint64_t flags, mode, resolve;
    } how = {.flags = flags, .mode = 0, .resolve = resolve};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof(how));
}

int csd_set_no_new_privs(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

int csd_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int csd_name_thread(const char *name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }

int csd_set_parent_death_signal(int signal) { return prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0); }

static void end_process_group(int signal) {
    (void)signal;
    kill(0, SIGKILL);
}

int csd_end_process_group_on(int signal) {
    struct sigaction action = {.sa_handler = end_process_group};
    sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, NULL);
}

static unsigned int seconds_left;

static void end_process_later(int signal) {
    (void)signal;
    alarm(seconds_left);
}

int csd_end_process_on(int signal, unsigned int seconds) {
    seconds_left = seconds;
    struct sigaction action = {.sa_handler = end_process_later, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    return sigaction(signal, &action, NULL);
}

int csd_drop_capabilities(void) {
    // The kernel's last capability may be newer than these headers, so the loop goes on until EINVAL. Without
    // CAP_SETPCAP the bounding set stays; no_new_privs then keeps execve from granting anything from it.
    for (unsigned long capability = 0; capability < 64; capability++) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
        if (errno == EINVAL || errno == EPERM) break;
        return -1;
    }
    // Kernels before 4.3 have no ambient set.
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0 && errno != EINVAL) return -1;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
    return (int)syscall(SYS_capset, &header, none);
}

int csd_thread_count(void) {
    DIR *tasks = opendir("/proc/self/task");
    if (tasks == NULL) return -1;
    int count = 0;
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        if (entry->d_name[0] != '.') count++;
    }
    closedir(tasks);
    return count;
}

int csd_seccomp_missing(void) {
    // There is no filter to read, and that is the error where one could be installed.
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno == EFAULT) return 0;
    // Kernels before 3.17 have this alone.
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1 && errno == EFAULT) return 0;
    return errno;
}

int csd_landlock_abi(void) {
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION_FLAG);
}

int csd_landlock_create_ruleset(const struct csd_landlock_ruleset_attr *attr, size_t size) {
    return (int)syscall(SYS_landlock_create_ruleset, attr, size, 0);
}

int csd_landlock_add_path(int ruleset, const struct csd_landlock_path_beneath_attr *attr) {
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH_TYPE, attr, 0);
}

int csd_landlock_restrict_self(int ruleset) { return (int)syscall(SYS_landlock_restrict_self, ruleset, 0); }

int csd_notification_receive(int listener, uint64_t *id, int *argument) {
    // A newer kernel may write more than the structure that these headers know, SECCOMP_GET_NOTIF_SIZES.
    union {
        struct seccomp_notif notification;
        char room[512];
    } given;
    memset(&given, 0, sizeof(given));
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &given) != 0) return -1;
    *id = given.notification.id;
    *argument = (int)given.notification.data.args[0];
    return 0;
}

static void interrupt(int signal) { (void)signal; }

int csd_notification_install(int listener, uint64_t id, int source, int target, int milliseconds) {
    struct seccomp_notif_addfd given = {
        .id = id, .flags = SECCOMP_ADDFD_FLAG_SETFD, .srcfd = source, .newfd = target, .newfd_flags = O_CLOEXEC};
    struct sigaction action = {.sa_handler = interrupt};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGALRM, &action, NULL) != 0) return -1;
    // It comes again and again, for the case that the first comes before the wait begins.
    struct itimerval limit = {.it_value = {.tv_usec = milliseconds * 1000}, .it_interval = {.tv_usec = milliseconds * 1000}};
    if (setitimer(ITIMER_REAL, &limit, NULL) != 0) return -1;
    int result = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &given);
    int code = errno;
    struct itimerval off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &off, NULL);
    errno = code;
    return result < 0 ? -1 : 0;
}

int csd_notification_answer(int listener, uint64_t id, int error) {
    // The kernel takes its own answer's size only, which has not changed since it exists.
    struct seccomp_notif_resp answer = {.id = id, .error = -error};
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

const void *csd_memrchr(const void *bytes, int byte, size_t count) { return memrchr(bytes, byte, count); }
