internal import CLinux
internal import Glibc
internal import IPC

/// What this machine's kernel, its limits and its `ssh` mean for a config.
enum KernelCheck {
    /// Descriptors that a daemon with a few clients needs.
    private static let descriptors = 256

    static func lines(_ config: Config, environment: [String: String]) -> [String] {
        var lines = Startup.kernelProblems(config).map { ConfigCheck.line(.error, $0) }
        if !config.policy.requireLandlock {
            lines.append(
                ConfigCheck.line(
                    .warning, "sandbox.require_landlock",
                    csd_landlock_abi() > 0
                        ? "is false, and this kernel has Landlock, which is used; remove the key, so that nothing is served without"
                        : "is false, and this kernel has no Landlock: workers are confined by seccomp only"))
        }
        if config.policy.transport == .ssh, let notice = UserLookup.notice() { lines.append(notice) }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < descriptors {
            lines.append(
                ConfigCheck.line(
                    .warning,
                    "the daemon may open \(limit.rlim_cur) descriptors, too few for several clients; run before it: ulimit -n 1024 (as a service: "
                        + "LimitNOFILE=1024)"))
        }
        let path = (environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        if !path.contains(where: { access("\($0)/ssh", X_OK) == 0 }) {
            lines.append(
                ConfigCheck.line(
                    .note,
                    "ssh is not in PATH, which opens the sessions that the daemon works through; install OpenSSH's client "
                        + "(openssh-client)"))
        }
        return lines
    }
}
