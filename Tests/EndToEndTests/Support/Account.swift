import CLinux
import Foundation
import Glibc
import Synchronization
import Testing
import TestSupport

/// unshare(2), which glibc declares for _GNU_SOURCE only.
@_silgen_name("unshare") private func unshare(_ flags: Int32) -> Int32
private let newMountNamespace: Int32 = 0x0002_0000  // CLONE_NEWNS

/// A Unix account that a test logs in to, or runs a daemon as.
struct Account: Hashable, Sendable {
    let name: String
    let uid: uid_t
    let gid: gid_t
    let home: String

    /// Whether this process may make accounts and become them.
    static var canCreate: Bool { geteuid() == 0 }

    /// The account of this process.
    static func current() throws -> Account { try known.get() }

    private static let known = Result {
        guard let entry = getpwuid(geteuid()) else { throw HarnessError("no account has uid \(geteuid())") }
        return Account(
            name: String(cString: entry.pointee.pw_name), uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid,
            home: String(cString: entry.pointee.pw_dir))
    }

    /// A throw-away account (root only), the same one for the same shell and purpose all through this process.
    ///
    /// Its home is empty: a login runs no start-up file. It goes when the process ends, however that happens.
    static func throwAway(loginShell: String = "/bin/bash", purpose: String = "login") throws -> Account {
        try ThrowAwayAccounts.shared.account(loginShell: loginShell, purpose: purpose)
    }

    /// Makes every account that a test will ask for. An account made later would replace /etc/passwd under the workers
    /// that run by then, and their confinement is for the file that they started with.
    static func prepare() throws {
        guard canCreate else { return }
        _ = try throwAway(loginShell: wrappedShell(), purpose: "login")
        for (shell, purpose) in planned where FileManager.default.isExecutableFile(atPath: shell) {
            _ = try throwAway(loginShell: shell, purpose: purpose)
        }
    }

    /// Gives the calling thread, and what it starts from now on, an /etc of its own: a copy in `directory` (root only).
    /// Accounts made after that are in nobody else's way.
    ///
    /// - Returns: false in a plain chroot, where the mount could not be kept from others.
    static func separateEtc(in directory: String) throws -> Bool {
        func check(_ result: Int32) throws {
            guard result == 0 else { throw HarnessError("no /etc of its own: \(String(cString: strerror(errno)))") }
        }
        // First: the process that cleans up starts with the first child, and must see the same.
        try check(unshare(newMountNamespace))
        if mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil) != 0, errno == EINVAL { return false }
        // Files that useradd of another process has for a moment may be gone before cp reads them, and are of no use here.
        _ = try run(findProgram("cp"), ["-a", "/etc/.", directory])
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) where name.hasSuffix(".lock") {
            try FileManager.default.removeItem(atPath: "\(directory)/\(name)")
        }
        try check(mount(directory, "/etc", nil, UInt(MS_BIND), nil))
        ThrowAwayAccounts.hasOwnEtc.withLock { $0 = true }
        return true
    }

    private static let planned = [
        ("/bin/bash", "login"), ("/bin/sh", "login"), ("/bin/dash", "login"), ("/bin/tcsh", "login"),
        ("/usr/bin/fish", "login"), ("/usr/bin/zsh", "login"), ("/bin/bash", "client"), ("/bin/bash", "agent"),
        ("/bin/bash", "stranger"),
        ("/bin/bash", "start-up"), ("/bin/tcsh", "start-up"), ("/usr/bin/fish", "start-up"),
        ("/usr/bin/zsh", "start-up"),
        ("/bin/bash", "hanging"), ("/bin/bash", "dropbear"),
    ]

    /// A login shell that is a script and runs the real shell as its child.
    static func wrappedShell() throws -> String { try wrapped.get().file("shell") }

    private static let wrapped = Result {
        let directory = try TemporaryDirectory(readableByAll: true)
        try directory.writeProgram("shell", "#!/bin/sh\n/bin/bash \"$@\"\nexit $?\n")
        return directory
    }

    /// Who a test logs in as: for root a throw-away account, else the user who runs the tests.
    static func forLogin(shell: String = "/bin/bash", purpose: String = "login") throws -> Account {
        try canCreate ? throwAway(loginShell: shell, purpose: purpose) : current()
    }
}

/// Makes each account once a process.
// @unchecked: the mutable state is only touched under `lock`.
private final class ThrowAwayAccounts: @unchecked Sendable {
    static let shared = ThrowAwayAccounts()

    /// Whether this process has an /etc of its own, so that useradd cannot know which uids others give.
    static let hasOwnEtc = Mutex(false)

    private let lock = NSLock()
    private var accounts: [String: (account: Account, home: TemporaryDirectory)] = [:]

    private init() { ThrowAwayAccounts.removeStale() }

    func account(loginShell: String, purpose: String) throws -> Account {
        try lock.withLock {
            let key = "\(purpose) \(loginShell)"
            if let known = accounts[key] { return known.account }
            guard Account.canCreate else { throw HarnessError("only root can make an account") }
            let name = "\(try ThrowAwayAccounts.namePrefix())\(accounts.count)"
            let home = try TemporaryDirectory()
            try ThrowAwayAccounts.add(name, home: home.path, shell: loginShell)
            guard let entry = getpwnam(name) else { throw HarnessError("useradd did not make \(name)") }
            let account = Account(
                name: name, uid: entry.pointee.pw_uid, gid: entry.pointee.pw_gid, home: home.path)
            chown(home.path, account.uid, account.gid)
            accounts[key] = (account, home)
            return account
        }
    }

    /// `csdt-PID-STARTTIME-`: says which process the account belongs to, also after its pid was reused.
    private static func namePrefix() throws -> String {
        guard let own = ProcessEntry(pid: getpid()) else { throw HarnessError("/proc is not mounted") }
        return "csdt-\(own.pid)-\(own.startTime)-"
    }

    private static func add(_ name: String, home: String, shell: String) throws {
        // Owed before it exists: a crash between the two must not leave it.
        CrashCleanup.owe(.account(name))
        // '*' is a password that never matches; '!' would be a locked account, which sshd refuses.
        var arguments = ["-M", "-U", "-l", "-d", home, "-s", shell, "-p", "*", name]
        // Two accounts of one uid would end each other's processes.
        if hasOwnEtc.withLock({ $0 }) { arguments += ["-u", String(try unusedUID())] }
        var last = ""
        try waitUntil("useradd \(name): \(last)") {
            let result = try run(try findProgram("useradd"), arguments)
            last = result.errorText
            // 1: another process holds the lock of /etc/passwd; 10: the same for /etc/group.
            if result.status == .exited(1) || result.status == .exited(10) { return false }
            guard result.succeeded else { throw HarnessError("useradd \(name): \(result.errorText)") }
            return true
        }
    }

    /// By the pid, which nobody else has.
    private static func unusedUID() throws -> uid_t {
        let all = 20_000..<60_000 as Range<uid_t>
        let start = uid_t(getpid()) &* 16 % uid_t(all.count)
        for step in 0..<uid_t(16) {
            let uid = all.lowerBound + (start + step) % uid_t(all.count)
            if getpwuid(uid) == nil, ProcessTable().processes(ofUID: uid).isEmpty { return uid }
        }
        throw HarnessError("no uid is free from \(all.lowerBound + start) on")
    }

    /// Removes the accounts of test processes that no longer run: those killed together with their cleanup.
    private static func removeStale() {
        guard Account.canCreate, let passwd = try? String(contentsOfFile: "/etc/passwd", encoding: .utf8) else {
            return
        }
        for line in passwd.split(separator: "\n") where line.hasPrefix("csdt-") {
            let fields = line.split(separator: ":", omittingEmptySubsequences: false)
            let parts = fields[0].split(separator: "-")
            guard fields.count == 7, parts.count == 4, let pid = pid_t(parts[1]), let startTime = UInt64(parts[2]),
                let uid = uid_t(fields[2]), uid != 0, ProcessEntry(pid: pid)?.startTime != startTime
            else { continue }
            try? killAll("processes of \(fields[0])") { $0.processes(ofUID: uid) }
            // Failure is no error: that process's own cleanup may be at it just now.
            _ = try? run("/usr/sbin/userdel", ["-f", String(fields[0])])
            if fields[5].hasPrefix("/tmp/csd.") { try? FileManager.default.removeItem(atPath: String(fields[5])) }
        }
    }
}
