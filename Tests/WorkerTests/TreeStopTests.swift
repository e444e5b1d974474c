import Glibc
import Testing

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
        let answer: String
        let marks: MarkedStream.Marks
    }

    /// Starts a command that prints the process ids of its `count` parts, waits for all of them, and stops it.
    private func stop(_ command: String, parts count: Int, with stopper: LocalShell) async throws -> Stopped {
        let line = Observer.line(nonce: "abc123", command: command, directory: "", environment: [:])
        let started = AsyncStream.makeStream(of: [Int].self)
        async let observed = LocalRun.of("/bin/sh", ["-c", line], environment: ["SHELL": "/bin/sh"]) { out, err in
            let (told, shown) = Self.marked(out, err)
            let parts = shown.split(separator: "\n").compactMap { Int($0) }
            if let observer = told.processID, parts.count == count { started.continuation.yield([observer] + parts) }
        }
        // In no session of the command's, and no child of it.
        let bystander = try Bystander()
        var iterator = started.stream.makeAsyncIterator()
        let ids = try #require(await iterator.next())
        #expect(Set(ids).count == count + 1 && ids.allSatisfy(Self.runs))
        let answer = try await stopper.run(stopper.interpreting(TreeStop.line(processID: ids[0])))
        #expect(ids.filter(Self.runs) == [], "nothing of it runs when the verdict is there")
        #expect(Self.runs(bystander.id))
        let run = try await observed
        return Stopped(answer: answer.text, marks: Self.marked(run.stdout, run.stderr).0)
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
        #expect(stopped.answer == "confirmed\n")
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
        #expect(stopped.answer == "confirmed\n")
        #expect(stopped.marks.ended, "the observer is not killed with it")
    }

    @Test(arguments: LocalShell.posix)
    func `what has left the session is found through its parent, also when that ends at TERM`(stopper: LocalShell)
        async throws
    {
        let command =
            "setsid sh -c 'trap \"\" TERM; echo $$; exec sleep 1000' & setsid sh -c 'echo $$; exec sleep 1000' & echo $$; wait"
        let stopped = try await stop(command, parts: 3, with: stopper)
        #expect(stopped.answer == "confirmed\n")
    }

    @Test(arguments: LocalShell.posix)
    func `of a command that has ended nothing runs`(stopper: LocalShell) async throws {
        let bystander = try Bystander()
        let run = try await ObservedRun.of("exit 0")
        let answer = try await stopper.run(
            stopper.interpreting(TreeStop.line(processID: try #require(run.marks.processID))))
        #expect(answer.text == "confirmed\n" && answer.status == 0)
        #expect(Self.runs(bystander.id))
    }

    @Test(arguments: LocalShell.login)
    func `every login shell takes the line`(login: LocalShell) async throws {
        let run = try await ObservedRun.of("exit 0")
        let answer = try await login.run(TreeStop.line(processID: try #require(run.marks.processID)))
        #expect(TreeStop.verdict(answer.text) == .confirmed)
    }

    @Test func `the last word is the verdict, anything else is unknown`() {
        #expect(TreeStop.verdict("confirmed\n") == .confirmed)
        #expect(TreeStop.verdict("motd: welcome\nsignalled\n") == .signalled)
        #expect(TreeStop.verdict("confirmed\nsignalled") == .signalled)
        for text in ["", "\n", "confirmed now", "unconfirmed", "Confirmed", "confirmed\nbye\n"] {
            #expect(TreeStop.verdict(text) == .unknown)
        }
        #expect(TreeStop.verdict(String(repeating: "x", count: 100_000) + "\nconfirmed\n") == .confirmed)
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
