internal import CLinux
internal import Glibc

/// The paths that a worker which executes `ssh`, and its `ssh` children, can still reach.
extension Landlock {
    /// A path that stays reachable, with the rights on it.
    struct Rule {
        let path: String
        let access: Access
        let reason: String
    }

    /// All paths that stay reachable. A path that this system does not have is skipped.
    static func rules(sshPath: String, interpreter: String?, asRoot: Bool) -> [Rule] {
        var rules = [Rule(path: sshPath, access: [.execute, .read], reason: "the one program that may be executed")]
        if let interpreter {
            rules.append(Rule(path: interpreter, access: [.execute, .read], reason: "its dynamic loader"))
        }
        rules += ["/lib", "/lib64", "/usr/lib", "/usr/lib64"].map {
            Rule(path: $0, access: .read, reason: "shared libraries of ssh, name-service modules")
        }
        rules += configuration(asRoot: asRoot)
        rules += [
            Rule(path: "/var/lib/sss/mc", access: .read, reason: "getpwuid in ssh where SSSD has the users"),
            Rule(
                path: "/usr/share/crypto-policies", access: .read, reason: "where files of /etc/crypto-policies point"),
            Rule(path: "/dev/null", access: [.read, .write], reason: "standard descriptors of ssh"),
            Rule(path: "/dev/urandom", access: .read, reason: "libcrypto where getrandom is missing"),
        ]
        return rules
    }

    /// The paths in /etc that ssh reads. A rule is tied to the file that is there now. When `useradd` or `ldconfig` replaces that
    /// file, each later ssh of the worker would fail, even the one that stops a remote command. So the worker of an ordinary user
    /// may read all files in /etc, but list nothing. The worker of root may not, because /etc/shadow is there.
    private static func configuration(asRoot: Bool) -> [Rule] {
        guard asRoot else {
            return [Rule(path: "/etc", access: .read, reason: "passwd, nsswitch.conf and others, by name")]
        }
        return [
            Rule(path: "/etc/ld.so.cache", access: .read, reason: "the loader's library index"),
            Rule(path: "/etc/passwd", access: .read, reason: "getpwuid in ssh"),
            Rule(path: "/etc/nsswitch.conf", access: .read, reason: "getpwuid in ssh"),
            Rule(path: "/etc/ssl/openssl.cnf", access: .read, reason: "libcrypto's start-up"),
            Rule(path: "/etc/pki/tls/openssl.cnf", access: .read, reason: "the same on Fedora and its kin"),
            Rule(path: "/etc/crypto-policies", access: .read, reason: "included by that openssl.cnf"),
            Rule(path: "/etc/localtime", access: .read, reason: "ssh's log stamps"),
        ]
    }

    /// Restricts this process as a worker. It must have one thread, and `Limits.apply()` must have been called.
    /// - Returns: the kernel's Landlock ABI; 0 if there is none and `required` is false.
    public static func restrict(sshPath: String, required: Bool) throws(SandboxError) -> Int {
        try restrict(required: required) { ruleset throws(SandboxError) in
            // Symlinks are resolved: a rule is tied to the file that it opens, and the kernel judges the file that is executed.
            let interpreter = try ELFInterpreter.path(of: sshPath)
            for rule in rules(sshPath: sshPath, interpreter: interpreter, asRoot: geteuid() == 0) {
                try add(rule, to: ruleset)
            }
        }
    }

    private static func add(_ rule: Rule, to ruleset: borrowing Ruleset) throws(SandboxError) {
        let opened = open(rule.path, CSD_O_PATH | O_CLOEXEC)
        guard opened >= 0 else {
            guard rule.access.contains(.execute) else { return }
            throw .failed(call: "open(\(rule.path))", errno: errno)
        }
        defer { close(opened) }
        try ruleset.allow(rule.access, on: opened, rule.path)
    }
}
