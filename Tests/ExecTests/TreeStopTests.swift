import Foundation
import Glibc
import IPC
import TestSupport
import Testing

@testable import Exec
@testable import SSH

@Suite("Stopping a remote tree", .timeLimit(.minutes(2)))
struct TreeStopTests {
    /// Whether a process runs: it exists and is no zombie, proc(5).
    private static func runs(_ id: Int) -> Bool {
        guard let file = fopen("/proc/\(id)/stat", "r") else { return false }
        defer { fclose(file) }
        var line = [UInt8](repeating: 0, count: 1024)
        let count = fread(&line, 1, line.count, file)
        let fields = String(decoding: line[..<count], as: UTF8.self).split(separator: ")").last ?? ""
        return !fields.hasPrefix(" Z") && !fields.hasPrefix(" X")
    }

    /// What came of stopping a command.
    private struct Stopped {
        let answer: StopAnswer?
        let marks: MarkedStream.Marks
    }

    /// Starts a command that prints the process ids of its `count` parts, waits for all of them, and stops it.
    private func stop(
        _ command: String, parts count: Int, with stopper: LocalShell, distinct: Bool = true, wrapped: String = ""
    ) async throws -> Stopped {
        var line = Observer.line(nonce: "abc123", command: command, directory: "", environment: [:])
        if !wrapped.isEmpty { line = wrapped + line.dropFirst("exec ".count) }
        let started = AsyncStream.makeStream(of: [Int].self)
        async let observed = LocalRun.of("/bin/sh", ["-c", line], environment: ["SHELL": "/bin/sh"]) { out, err in
            let (told, shown) = Self.marked(out, err)
            let parts = shown.split(separator: "\n").compactMap { Int($0) }
            if let observer = told.processID, parts.count == count {
                started.continuation.yield([Int(observer)] + parts)
            }
        }
        // In no session of the command's, and no child of it.
        let bystander = try Bystander()
        var iterator = started.stream.makeAsyncIterator()
        let ids = try #require(await iterator.next())
        #expect(Set(ids).count == count + (distinct ? 1 : 0) && ids.allSatisfy(Self.runs))
        let stopping = try await stopper.run(
            stopper.interpreting(TreeStop.line([ObserverID(processID: UInt32(ids[0]), nonce: "abc123")])))
        #expect(ids.filter(Self.runs) == [], "nothing of it runs when the verdict is there")
        #expect(Self.runs(bystander.id))
        let run = try await observed
        return Stopped(
            answer: StopAnswer.answers(stopping.text)[ObserverID(processID: UInt32(ids[0]), nonce: "abc123")],
            marks: Self.marked(run.stdout, run.stderr).0)
    }

    /// Waits for a condition, at most ten seconds.
    private func waitFor(_ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            if try await condition() { return }
        }
        Issue.record("it did not come")
    }

    private static func marked(_ stdout: [UInt8], _ stderr: [UInt8]) -> (MarkedStream.Marks, String) {
        var out = MarkedStream(nonce: "abc123", limit: 10_000)
        var err = MarkedStream(nonce: "abc123", limit: 10_000)
        out.append(stdout[...])
        err.append(stderr[...])
        return (err.marks, out.window.output().text)
    }

    @Test(arguments: LocalShell.posix)
    func `a pipeline with background work ends at TERM, and the observer tells how`(stopper: LocalShell) async throws {
        let command = "echo $$; sleep 1000 & echo $!; sleep 1000 | cat & echo $!; wait"
        let stopped = try await stop(command, parts: 3, with: stopper)
        #expect(stopped.answer == .confirmed)
        #expect(stopped.marks.ended && stopped.marks.exitStatus == 143)
    }

    @Test(arguments: LocalShell.posix)
    func `what ignores TERM is killed, with its children and with what called setsid`(stopper: LocalShell) async throws
    {
        // An ignored signal stays ignored over exec: the sleeps ignore it as well.
        let command = """
            echo $$
            sh -c 'trap "" TERM; echo $$; sleep 1000 & echo $!; wait; sleep 1000' &
            setsid sh -c 'trap "" TERM; echo $$; sleep 1000 & echo $!; wait; sleep 1000' &
            wait
            """
        let stopped = try await stop(command, parts: 5, with: stopper)
        #expect(stopped.answer == .confirmed)
        #expect(stopped.marks.ended, "the observer is not killed with it")
    }

    @Test(arguments: LocalShell.posix)
    func `a command that ignores TERM itself is killed, and the observer lives to tell how`(
        stopper: LocalShell
    ) async throws {
        let stopped = try await stop("trap '' TERM; echo $$; sleep 1000; sleep 1000", parts: 1, with: stopper)
        #expect(stopped.answer == .confirmed)
        #expect(stopped.marks.ended && stopped.marks.exitStatus == 137)
    }

    @Test(arguments: LocalShell.posix)
    func `what has left the session is found through its parent, also when that ends at TERM`(stopper: LocalShell)
        async throws
    {
        let command =
            "setsid sh -c 'trap \"\" TERM; echo $$; exec sleep 1000' & setsid sh -c 'echo $$; exec sleep 1000' & echo $$; wait"
        let stopped = try await stop(command, parts: 3, with: stopper)
        #expect(stopped.answer == .confirmed)
    }

    @Test(arguments: LocalShell.posix)
    func `of a command that has ended nothing runs`(stopper: LocalShell) async throws {
        let bystander = try Bystander()
        let run = try await ObservedRun.of("exit 0")
        let observer = try #require(run.marks.processID)
        let ended = ObserverID(processID: observer, nonce: "abc123")
        let answer = try await stopper.run(stopper.interpreting(TreeStop.line([ended, ended])))
        #expect(StopAnswer.answers(answer.text) == [ended: .gone] && answer.status == 0)
        #expect(answer.text.split(separator: "\n").count == 2)
        #expect(Self.runs(bystander.id))
    }

    @Test(arguments: LocalShell.posix)
    func `a process that has the number of the observer and is not it is left alone`(stopper: LocalShell) async throws {
        let bystander = try Bystander()
        let taken = ObserverID(processID: UInt32(bystander.id), nonce: "abc123")
        let answer = try await stopper.run(stopper.interpreting(TreeStop.line([taken])))
        #expect(StopAnswer.answers(answer.text) == [taken: .gone])
        #expect(Self.runs(bystander.id))
    }

    @Test(arguments: LocalShell.posix, ["\"$@\"; :", "exec \"$@\""])
    func `a command is found that does not lead its session, and what started it is left alone`(
        stopper: LocalShell, wrapper: String
    ) async throws {
        // The last but one loses its parent, and is found by its session.
        let command = "echo $$; (sleep 1000 & echo $!); sleep 1000"
        let stopped = try await stop(
            command, parts: 2, with: stopper, wrapped: "/bin/sh -c '\(wrapper)' wrapper ")
        #expect(stopped.answer == .confirmed)
        #expect(stopped.marks.ended && stopped.marks.exitStatus == 143)
    }

    /// Stops a command as under dropbear: the observer, its stopper and a bystander are in one session. `STOP` in the script
    /// stops it; with `wrapper` something of the host's starts the observer.
    private func stopInSharedSession(
        _ command: String, with stopper: LocalShell, script: String = "STOP", wrapper: String = ""
    ) async throws -> (answer: StopAnswer?, lines: [Substring]) {
        let stop = stopper.interpreting(TreeStop.line([ObserverID(processID: 1, nonce: "abc123")]))
            .dropFirst("exec ".count).replacing(" 1:abc123", with: " \"$p:abc123\"")
        let line = Observer.line(nonce: "abc123", command: command, directory: "", environment: [:])
            .dropFirst("exec ".count)
        let script = """
            sleep 1000 & other=$!
            \(wrapper)\(line) </dev/null 2>errors | cat >output &
            until grep -q abc123+ errors; do :; done
            p=$(tr -d '\\036' <errors | sed -n 's/^abc123+\\([0-9]*\\).*/\\1/p')
            \(script.replacing("STOP", with: stop))
            kill -0 $other && echo alive
            kill -KILL $other
            wait
            """
        let directory = try TemporaryDirectory()
        let run = try await LocalRun.of(
            "/bin/bash", ["-c", "cd \(directory.path) && { \(script)\n}"], environment: ["SHELL": "/bin/sh"])
        return (StopAnswer.answers(run.text).first?.value, run.text.split(separator: "\n"))
    }

    /// A process without a parent and with its output elsewhere, whose id is in a file.
    private static let orphan = "(sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >orphan)"

    @Test(arguments: LocalShell.posix)
    func `in a session that others share, the command and what writes to its output are stopped, and nothing else`(
        stopper: LocalShell
    ) async throws {
        let run = try await stopInSharedSession("(sleep 1000 &); sleep 1000 & wait", with: stopper)
        #expect(run.answer == .confirmed && run.lines.contains("alive"), "\(run)")
    }

    /// The script that stops a command when its orphan is there, then tells whether the orphan lives, and ends it.
    private static let stopBesideOrphan = """
        until [ -s orphan ]; do :; done
        STOP
        read o <orphan; kill -0 $o && echo orphan; kill -KILL $o
        """

    @Test(arguments: LocalShell.posix)
    func `in a session that others share, an orphan that may be the command's is left alone, and nothing is confirmed`(
        stopper: LocalShell
    ) async throws {
        let run = try await stopInSharedSession(
            "(\(Self.orphan) &); sleep 1000", with: stopper, script: Self.stopBesideOrphan)
        #expect(run.answer == .signalled && run.lines.contains("alive") && run.lines.contains("orphan"), "\(run)")
    }

    @Test(arguments: LocalShell.posix)
    func `in a session that others share, an orphan with a strange name is seen`(stopper: LocalShell) async throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/perl") else { return }
        let hider = #"perl -e '$0 = "a\n) S 1 (b) 1"; close STDOUT; close STDERR; sleep 1000'"#
        let run = try await stopInSharedSession(
            "((\(hider) </dev/null >/dev/null 2>&1 & echo $! >orphan) &); sleep 1000", with: stopper,
            script: Self.stopBesideOrphan)
        #expect(run.answer == .signalled && run.lines.contains("orphan"), "\(run)")
    }

    @Test(arguments: LocalShell.posix)
    func `in a session that others share, what others run, and orphans from before the command, are none of its`(
        stopper: LocalShell
    ) async throws {
        let run = try await stopInSharedSession(
            "sleep 1000", with: stopper,
            script: """
                (sleep 1000; :) & others=$!
                STOP
                pkill -KILL -P $others
                read o <before; kill -KILL $o
                """,
            // The kernel counts starts in hundredths of a second.
            wrapper: "(sleep 1000 </dev/null >/dev/null 2>&1 & echo $! >before); sleep 0.05; ")
        #expect(run.answer == .confirmed && run.lines.contains("alive"), "\(run)")
    }

    @Test(arguments: LocalShell.posix)
    func `when its time is up the watchdog stops the command with all that it started, and tells it`(
        interpreter: LocalShell
    ) async throws {
        let run = try await ObservedRun.of(
            "trap '' TERM; echo before; (sleep 1000 &); sleep 1000; sleep 1000", interpreter: interpreter,
            limit: 0)
        #expect(run.stdout == "before\n")
        #expect(run.marks.ended && run.marks.exitStatus == 137 && run.marks.stopped == .confirmed)
    }

    @Test(arguments: LocalShell.posix)
    func `of a command that ends by itself no watchdog stays`(interpreter: LocalShell) async throws {
        let seconds = 7_000_000 + Int.random(in: 0..<1_000_000)
        for _ in 0..<20 {
            let run = try await ObservedRun.of("exit 3", interpreter: interpreter, limit: seconds - 1)
            #expect(run.marks.exitStatus == 3 && run.marks.stopped == nil)
        }
        try await waitFor { try await LocalRun.of("/usr/bin/pgrep", ["-f", "sleep \(seconds)"]).text == "" }
    }

    @Test(arguments: LocalShell.login)
    func `every login shell takes the line`(login: LocalShell) async throws {
        let run = try await ObservedRun.of("exit 0")
        let observer = try #require(run.marks.processID)
        let ended = ObserverID(processID: observer, nonce: "abc123")
        let answer = try await login.run(TreeStop.line([ended]))
        #expect(StopAnswer.answers(answer.text) == [ended: .gone])
    }

    @Test func `an answer counts by its mark and nonce, wherever it stands, and nothing else does`() {
        let (first, second) = (ObserverID(processID: 12, nonce: "a1"), ObserverID(processID: 13, nonce: "b2"))
        #expect(
            StopAnswer.answers("\u{1E}12:a1 confirmed\n\u{1E}13:b2 signalled\n") == [
                first: .confirmed, second: .signalled,
            ])
        #expect(
            StopAnswer.answers("motd\r\n> \u{1E}12:a1 left\nmore\n\u{1E}\u{1E}13:b2 gone\n") == [
                first: .left, second: .gone,
            ])
        // Chatter, and the answer to somebody else, says nothing of the first.
        for text in [
            "", "\n", "\u{1E}", "12 confirmed\n", "12:a1 confirmed\n", "\u{1E}12 confirmed\n", "\u{1E}12:a1 confirmed",
            "\u{1E}12:a1 confirmed now\n", "\u{1E}12:a1  confirmed\n", "\u{1E}12:a1 Confirmed\n",
            "\u{1E}12:a2 confirmed\n",
            "\u{1E}12: confirmed\n", "\u{1E}x:a1 confirmed\n",
        ] {
            #expect(StopAnswer.answers(text)[first] == nil, "\(text)")
        }
    }

    @Test(arguments: LocalShell.posix)
    func `a name with a newline and parentheses hides nobody`(stopper: LocalShell) async throws {
        guard FileManager.default.isExecutableFile(atPath: "/usr/bin/perl") else { return }
        // perl writes $0 to the kernel's name of the process, prctl(2) PR_SET_NAME.
        let hider = #"perl -e '$0 = "a\n) S 1"; $| = 1; print "$$\n"; sleep 1000'"#
        let stopped = try await stop(hider + " & echo $!; wait", parts: 2, with: stopper, distinct: false)
        #expect(stopped.answer == .confirmed)
    }
}

/// A process that has nothing to do with any command; killed at the end.
private final class Bystander {
    let id: Int

    init() throws {
        var number: pid_t = 0
        let arguments = [strdup("sleep"), strdup("1000"), nil]
        defer { for argument in arguments { free(argument) } }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // POSIX_SPAWN_SETSID, spawn.h.
        posix_spawnattr_setflags(&attributes, 0x80)
        try #require(posix_spawn(&number, "/bin/sleep", nil, &attributes, arguments, environ) == 0)
        id = Int(number)
    }

    deinit {
        kill(pid_t(id), SIGKILL)
        waitpid(pid_t(id), nil, 0)
    }
}
