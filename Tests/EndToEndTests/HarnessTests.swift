import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// The harness against real sshd, ssh and socat, without the daemon.
@Suite struct HarnessTests {
    @Test func temporaryDirectoryIsPrivateShortAndRemoved() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path
        try directory.write("file", "x")
        #expect(path.utf8.count == 15)
        var info = stat()
        #expect(stat(path, &info) == 0 && info.st_mode & 0o777 == 0o700)
        #expect(stat(directory.file("file"), &info) == 0 && info.st_mode & 0o777 == 0o600)
        directory.remove()
        #expect(access(path, F_OK) != 0)
    }

    @Test func waitUntilNamesWhatDidNotHappen() {
        #expect {
            try waitUntil("the moon", timeout: .milliseconds(20)) { false }
        } throws: {
            "\($0)".contains("the moon") && "\($0)".contains("HarnessTests.swift")
        }
    }

    @Test func childHasItsOwnGroupDefaultSignalsAndNoOtherDescriptor() throws {
        let leak = open("/etc/passwd", O_RDONLY)
        defer { close(leak) }
        let result = try run(
            "/bin/sh", ["-c", "ls /proc/self/fd; grep -E '^Sig(Ign|Blk)' /proc/self/status; cat"],
            input: Data("in".utf8))
        #expect(result.succeeded)
        // 3 is the directory that ls reads.
        #expect(result.outputText.hasPrefix("0\n1\n2\n3\nSigBlk:"))
        let ignored = result.outputText.firstMatch(of: #/SigIgn:\t([0-9a-f]+)/#).flatMap { UInt64($0.1, radix: 16) }
        // 32 and 33 belong to glibc.
        #expect(try #require(ignored) & 0x7fff_ffff == 0)
        #expect(result.outputText.hasSuffix("in"))
        #expect(try run("/bin/sh", ["-c", "kill -9 $$"]).status == .signaled(9))
        #expect(try run("/bin/sh", ["-c", "exit 255"]).status == .exited(255))
        #expect(throws: HarnessError.self) { try ChildProcess("/nonexistent", []) }
    }

    @Test func stoppingAChildEndsItsGroup() throws {
        let child = try ChildProcess("/bin/sh", ["-c", "sleep 600 & sleep 600"])
        try waitUntil("three in the group") { ProcessTable().processes(inGroup: child.pid).count == 3 }
        // The one that was forked last may not have executed its program yet.
        try waitUntil("two that sleep") {
            ProcessTable().descendants(of: child.pid).map(\.comm) == ["sleep", "sleep"]
        }
        child.stop()
        try waitUntil("nobody in the group") { ProcessTable().processes(inGroup: child.pid).isEmpty }
        #expect(child.status == .signaled(SIGKILL))
    }

    @Test func jsonRoundTripAndMergePatch() throws {
        let value: JSON = ["a": [1, -2.5, true, .null, "é\n\"\u{0}"], "b": ["c": ["d": 0]]]
        #expect(try JSON(parsing: value.encoded()) == value)
        #expect(throws: (any Error).self) { try JSON(parsing: Data([0x22, 0xff, 0x22])) }
        #expect(value.merging(["a": .null, "b": ["e": 1]]) == ["b": ["c": ["d": 0], "e": 1]])
        #expect(try JSON(parsing: Data("[1, 1.5, true, 0]".utf8)) == [1, 1.5, true, 0])
    }
}

/// Logins, sessions and their end.
@Suite struct HarnessSSHTests {
    @Test func sharedRemoteRunsCommandsAsTheLoginUser() throws {
        try withRemote { remote in
            let result = try remote.master.exec("id -un; cat; echo err >&2; exit 7", input: Data("in\n".utf8))
            #expect(result.status == .exited(7))
            #expect(result.outputText == "\(remote.sshd.loginUser.name)\nin\n")
            #expect(result.errorText == "err\n")
            #expect(remote.sshd.acceptedConnections() == 1)
        }
    }

    @Test func masterStopsDiesAndComesBackOnTheSamePath() throws {
        let sshd = try PrivateSSHD()
        let master = try ControlMaster(to: sshd)
        #expect(try master.isAlive())
        master.stop()
        #expect(access(master.socketPath, F_OK) != 0)
        try master.restart()
        #expect(try master.isAlive())
        master.kill()
        #expect(access(master.socketPath, F_OK) == 0)
        #expect(try !master.isAlive())
        // A dead master must not make the yardstick connect by itself.
        #expect(try master.exec("true").status == .exited(255))
        #expect(sshd.acceptedConnections() == 2)
        try master.restart()
        #expect(try master.exec("echo back").outputText == "back\n")
    }

    @Test func stoppingSSHDLeavesNothingRunning() throws {
        let sshd = try PrivateSSHD()
        let master = try ControlMaster(to: sshd)
        let tag = "600.\(sshd.port)"
        _ = try master.exec("setsid sleep \(tag) </dev/null >/dev/null 2>&1 &")
        try waitUntil("the remote sleep") { sshd.remoteProcesses(running: "sleep \(tag)").count == 1 }
        let orphan = try #require(sshd.remoteProcesses(running: tag).first)
        sshd.stop()
        #expect(!orphan.isAlive)
        #expect(sshd.remoteProcesses().isEmpty)
        #expect(access(sshd.logFile, F_OK) != 0)
    }

    @Test func optionsReachSSHD() throws {
        let sshd = try PrivateSSHD(
            PrivateSSHD.Options(
                maxSessions: 1, sftpSubsystem: false, allowTCPForwarding: false, extraConfig: ["Banner none"]))
        let master = try ControlMaster(to: sshd)
        let ssh = try findProgram("ssh")
        let first = try ChildProcess(ssh, ["-F", "none", "-S", master.socketPath, master.destination, "sleep 600"])
        try waitUntil("the first session") { !sshd.remoteProcesses(running: "sleep 600").isEmpty }
        let second = try master.exec("true")
        #expect(second.status == .exited(255))
        #expect(second.errorText.contains("open"))
        first.stop()
        let sftp = try run(ssh, ["-F", "none", "-S", master.socketPath, "-s", master.destination, "sftp"])
        #expect(!sftp.succeeded)
    }

    @Test(
        .enabled(if: Account.canCreate, "only root can make accounts"),
        arguments: ["/bin/dash", "/bin/tcsh", "/usr/bin/fish", "/usr/bin/zsh"])
    func loginShellIsAsAsked(_ shell: String) throws {
        try #require(access(shell, X_OK) == 0, "\(shell) is not installed")
        let sshd = try PrivateSSHD(PrivateSSHD.Options(loginShell: shell))
        let master = try ControlMaster(to: sshd)
        #expect(try master.exec("echo $SHELL").outputText == "\(shell)\n")
        #expect(sshd.loginUser != (try Account.forLogin()))
    }

    @Test(.enabled(if: Account.canCreate, "only root can make accounts"))
    func defaultKeyLetsPlainSSHOfAnotherAccountIn() throws {
        let account = try Account.throwAway(purpose: "client")
        let sshd = try PrivateSSHD(PrivateSSHD.Options(usesStandardPort: true))
        try sshd.installDefaultKey(for: account)
        let master = try ControlMaster(to: sshd, account: account)
        let direct = try run(
            findProgram("ssh"), ["-F", "none", "-S", "none", "-o", "BatchMode=yes", master.destination, "id -un"],
            account: account)
        #expect(direct.outputText == "\(sshd.loginUser.name)\n", "\(direct.errorText)")
        #expect(sshd.acceptedConnections() == 2)
        #expect(try master.exec("id -un").outputText == "\(sshd.loginUser.name)\n")
    }
}

/// What is left when the tests end in another way than by returning.
@Suite struct HarnessCleanupTests {
    @Test func killedTestProcessLeavesNothing() async throws {
        let directory = try TemporaryDirectory()
        let report = directory.file("report")
        let result = await #expect(processExitsWith: .signal(SIGKILL), observing: [\.standardErrorContent]) {
            [report = report as String] in
            try HarnessCleanupTests.startEverything(report: report)
            kill(getpid(), SIGKILL)
        }
        try HarnessCleanupTests.expectAllGone(report, result)
    }

    @Test func exitedTestProcessLeavesNothing() async throws {
        let directory = try TemporaryDirectory()
        let report = directory.file("report")
        let result = await #expect(processExitsWith: .exitCode(3), observing: [\.standardErrorContent]) {
            [report = report as String] in
            try HarnessCleanupTests.startEverything(report: report)
            exit(3)
        }
        try HarnessCleanupTests.expectAllGone(report, result)
    }

    /// The shared remote with a command that outlives its login; writes what must be gone later.
    private static func startEverything(report: String) throws {
        var accounts = "/etc/passwd"
        if Account.canCreate {
            // The other tests' workers go by the /etc/passwd that was there when they started.
            let etc = "\(report).etc"
            try FileManager.default.createDirectory(atPath: etc, withIntermediateDirectories: false)
            if try Account.separateEtc(in: etc) { accounts = "\(etc)/passwd" }
        }
        let remote = try Remote.shared()
        _ = try remote.master.exec("setsid sleep 600 </dev/null >/dev/null 2>&1 &")
        let sleeper = try waitFor("the remote sleep") { remote.sshd.remoteProcesses(running: "sleep 600").first }
        let listing: JSON = [
            "sleeper": .int(Int(sleeper.pid)), "master": .int(Int(remote.master.pid ?? 0)),
            "account": .string(remote.sshd.loginUser.name), "log": .string(remote.sshd.logFile),
            "socket": .string(remote.master.socketPath), "accounts": .string(accounts),
        ]
        try listing.encoded().write(to: URL(filePath: report))
    }

    private static func expectAllGone(_ report: String, _ result: ExitTest.Result?) throws {
        let said = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        try #require(access(report, F_OK) == 0, "\(said)")
        let listing = try JSON(parsing: Data(contentsOf: URL(filePath: report)))
        for key in ["sleeper", "master"] {
            let pid = pid_t(try #require(listing[key]?.int))
            try waitUntil("\(key) gone") { ProcessEntry(pid: pid)?.isZombie ?? true }
        }
        for key in ["log", "socket"] {
            let path = try #require(listing[key]?.string)
            try waitUntil("\(path) gone") { access(path, F_OK) != 0 }
        }
        guard Account.canCreate else { return }
        let name = try #require(listing["account"]?.string)
        let accounts = try #require(listing["accounts"]?.string)
        try waitUntil("account \(name) gone") {
            try !String(contentsOfFile: accounts, encoding: .utf8).contains("\(name):")
        }
    }
}
