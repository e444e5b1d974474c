internal import CLinux
internal import Glibc

/// The filesystem, TCP and signal confinement of the worker and its `ssh` children,
/// Documentation/userspace-api/landlock.rst.
public enum Landlock {
    /// One path that stays reachable, with what for.
    struct Rule {
        let path: String
        let access: UInt64
        let reason: String
    }

    private static let read = UInt64(CSD_LANDLOCK_FS_READ_FILE)
    private static let write = UInt64(CSD_LANDLOCK_FS_WRITE_FILE)
    private static let execute = UInt64(CSD_LANDLOCK_FS_EXECUTE)

    /// Everything not named here is refused. A path that this system lacks is skipped.
    static func rules(sshPath: String, interpreter: String?, asRoot: Bool) -> [Rule] {
        var rules = [Rule(path: sshPath, access: execute | read, reason: "the one program that may be executed")]
        if let interpreter {
            rules.append(Rule(path: interpreter, access: execute | read, reason: "its dynamic loader"))
        }
        rules += ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].map {
            Rule(path: $0, access: read, reason: "shared libraries of ssh, name-service modules")
        }
        rules += configuration(asRoot: asRoot)
        rules += [
            Rule(path: "/var/lib/sss/mc", access: read, reason: "getpwuid in ssh where SSSD has the users"),
            Rule(path: "/usr/share/crypto-policies", access: read, reason: "where files of /etc/crypto-policies point"),
            Rule(path: "/dev/null", access: read | write, reason: "standard descriptors of ssh"),
            Rule(path: "/dev/urandom", access: read, reason: "libcrypto where getrandom is missing"),
        ]
        return rules
    }

    /// What ssh reads in /etc. A rule is tied to the file that is there now, and `useradd` or `ldconfig` puts another one in
    /// its place: every ssh of a worker would fail from then on, also the one that stops a remote command. So an ordinary
    /// user's worker may read files anywhere in /etc (but list nothing). Root's may not: /etc/shadow lies there.
    private static func configuration(asRoot: Bool) -> [Rule] {
        guard asRoot else {
            return [Rule(path: "/etc", access: read, reason: "passwd, nsswitch.conf and others, by name")]
        }
        return [
            Rule(path: "/etc/ld.so.cache", access: read, reason: "the loader's library index"),
            Rule(path: "/etc/passwd", access: read, reason: "getpwuid in ssh"),
            Rule(path: "/etc/nsswitch.conf", access: read, reason: "getpwuid in ssh"),
            Rule(path: "/etc/ssl/openssl.cnf", access: read, reason: "libcrypto's start-up"),
            Rule(path: "/etc/pki/tls/openssl.cnf", access: read, reason: "the same on Fedora and its kin"),
            Rule(path: "/etc/crypto-policies", access: read, reason: "included by that openssl.cnf"),
            Rule(path: "/etc/localtime", access: read, reason: "ssh's log stamps"),
        ]
    }

    /// Restricts this process and all that it starts. Call with one thread, after `Limits.apply()`.
    /// - Returns: the kernel's Landlock ABI; 0 where there is none and `required` is false.
    public static func restrict(sshPath: String, required: Bool) throws(SandboxError) -> Int {
        let abi = Int(csd_landlock_abi())
        guard abi > 0 else {
            if required { throw .noLandlock }
            return 0
        }
        // Real paths: a rule is tied to the file that it opens, and the kernel asks for the file that is executed.
        let interpreter = try ELFInterpreter.path(of: sshPath)
        var attribute = csd_landlock_ruleset_attr(
            handled_access_fs: (1 << filesystemRights(abi: abi)) - 1,
            handled_access_net: abi >= 4 ? UInt64(CSD_LANDLOCK_NET_BIND_TCP | CSD_LANDLOCK_NET_CONNECT_TCP) : 0,
            scoped: abi >= 6 ? UInt64(CSD_LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | CSD_LANDLOCK_SCOPE_SIGNAL) : 0)
        // Older kernels know a shorter structure and take a longer one only while its tail is zero, which it is.
        let ruleset = csd_landlock_create_ruleset(&attribute, MemoryLayout<csd_landlock_ruleset_attr>.size)
        guard ruleset >= 0 else { throw .failed(call: "landlock_create_ruleset", errno: errno) }
        defer { close(ruleset) }
        for rule in rules(sshPath: sshPath, interpreter: interpreter, asRoot: geteuid() == 0) {
            try add(rule, to: ruleset)
        }
        guard csd_landlock_restrict_self(ruleset) == 0 else {
            throw .failed(call: "landlock_restrict_self", errno: errno)
        }
        return abi
    }

    private static func add(_ rule: Rule, to ruleset: Int32) throws(SandboxError) {
        let parent = open(rule.path, CSD_O_PATH | O_CLOEXEC)
        guard parent >= 0 else {
            if rule.access & execute == 0 { return }
            throw .failed(call: "open(\(rule.path))", errno: errno)
        }
        defer { close(parent) }
        var attribute = csd_landlock_path_beneath_attr(allowed_access: rule.access, parent_fd: parent)
        guard csd_landlock_add_path(ruleset, &attribute) == 0 else {
            throw .failed(call: "landlock_add_rule(\(rule.path))", errno: errno)
        }
    }

    /// How many filesystem rights an ABI knows: 13 in the first, then REFER (2), TRUNCATE (3), IOCTL_DEV (5).
    private static func filesystemRights(abi: Int) -> UInt64 {
        switch abi {
        case 1: 13
        case 2: 14
        case 3, 4: 15
        default: 16
        }
    }
}
