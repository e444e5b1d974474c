import CLinux
import Foundation
import Glibc
import Testing
import TestSupport

/// Calls that compute long hold up no other, and none of them takes memory without a bound.
@Suite(.timeLimit(.minutes(5))) struct BusyWorkerTests {
    /// A pattern that is slow on `slow` and does not occur there: after each `a` a state of its own is possible.
    private static let config: JSON = [
        "safeguards": ["patterns": ["a.{900}b"], "allow_overwrite": true],
        "limits": ["max_read_bytes": 1_048_576],
    ]

    /// Letters by chance, the same in each run.
    private static let slow: String = {
        var state: UInt64 = 14
        return String(
            decoding: (0..<1_048_576).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(ascii: state >> 63 == 0 ? "a" : "c")
            }, as: UTF8.self)
    }()

    @Test("while searches compute, other calls, timeouts and cancellations are served")
    func searches() throws {
        let place = try Place()
        let path = JSON.string(try place.write("slow", BusyWorkerTests.slow))
        try withDaemon(BusyWorkerTests.config) { _, client in
            // More than compute at once: those that wait hold up nobody either.
            let busy = try (0..<8).map {
                try client.beginTool("ssh_read_file", ["path": path], id: .string("busy\($0)"))
            }
            let cancelled = try client.beginTool("ssh_read_file", ["path": path], id: "cancelled")
            let stopped = try client.beginTool("ssh_exec", ["command": "sleep 100", "timeout_seconds": 1])
            // What needs no other process is measured: the machine may be busy with those.
            let times = try (0..<41).map { _ in
                let start = ContinuousClock.now
                let refused = try client.callTool("ssh_read_file", ["path": "relative"])
                #expect(refused.isError)
                return ContinuousClock.now - start
            }
            let status = try client.callTool("ssh_connection_status")
            #expect(!status.isError)
            let timedOut = try stopped.waitForTool()
            #expect(timedOut["timed_out"] == true)
            // Its id is free when it has ended.
            try client.cancel(cancelled)
            try waitUntil("the cancelled call to end") {
                try client.request("ping", id: "cancelled")["error"] == nil
            }
            let unanswered = busy.count { !$0.isAnswered }
            #expect(unanswered >= 4, "\(unanswered) of 8 searches were left when all others had been served")
            #expect(times.sorted()[20] < .milliseconds(200), "\(times.sorted())")
            for call in busy { try client.cancel(call) }
        }
    }

    /// How long a call takes that needs no other process, each of some.
    private static func times(of client: MCPClient, count: Int = 41) throws -> [Duration] {
        try (0..<count).map { _ in
            let start = ContinuousClock.now
            let refused = try client.callTool("ssh_read_file", ["path": "relative"])
            #expect(refused.isError)
            return ContinuousClock.now - start
        }
    }

    @Test("while the last lines of large files are looked for, other calls are served")
    func lines() throws {
        let place = try Place()
        let path = place.file("f")
        try Data(repeating: UInt8(ascii: "x"), count: 20 << 20).write(to: URL(filePath: path))
        try withDaemon(["safeguards": ["guard_disabled": true]]) { _, client in
            for way: JSON in [["tail_lines": 1_000_000_000], ["tail_lines": 3], ["start_line": 2], ["offset": 0]] {
                let start = ContinuousClock.now
                let calls = try (0..<8).map { _ in
                    try client.beginTool("ssh_read_file", way.merging(["path": .string(path)]))
                }
                var times: [Duration] = []
                while times.isEmpty || calls.contains(where: { !$0.isAnswered }) && times.count < 200 {
                    times += try Self.times(of: client, count: 1)
                }
                for call in calls { #expect(try call.waitForTool(timeout: .seconds(60)).isError == false) }
                times.sort()
                // On a busy machine all takes longer: a call that waits for the reads takes about as long as they do.
                let (middle, ninth) = (times[times.count / 2], times[times.count * 9 / 10])
                let bound = max(.seconds(1), (ContinuousClock.now - start) / 4)
                #expect(middle < .milliseconds(200) && ninth < bound, "\(way): \(middle), \(ninth) of \(times.count)")
            }
        }
    }

    @Test("what is sent behind a long request is answered before it, and a cancellation finds it")
    func longRequest() throws {
        let place = try Place()
        let content = String(repeating: "\u{E9}\n", count: 1_500_000)
        // Each line break is an escape, each letter two: it takes some seconds to read.
        let arguments: JSON = ["path": "relative", "content": .string(content)]
        let cancelled: JSON = ["path": .string(place.file("cancelled")), "content": .string(content)]
        try withDaemon(BusyWorkerTests.config) { _, client in
            let long = try client.beginTool("ssh_write_file", arguments)
            let unwanted = try client.beginTool("ssh_write_file", cancelled)
            try client.cancel(unwanted)
            let status = try client.beginTool("ssh_connection_status")
            #expect(try status.waitForTool().isError == false)
            #expect(!long.isAnswered, "the short call behind it is answered first")
            #expect(try long.waitForTool().isError)
            // Long ones are read in their order.
            let last = try client.beginTool("ssh_write_file", arguments)
            #expect(try last.waitForTool().isError)
            #expect(
                !unwanted.isAnswered && !FileManager.default.fileExists(atPath: place.file("cancelled")),
                "it was not begun")
        }
    }

    @Test("while large answers are made, short ones go out")
    func largeAnswers() throws {
        let place = try Place()
        let path = JSON.string(try place.write("quotes", String(repeating: "\"", count: 1 << 20)))
        try withDaemon(["safeguards": ["guard_disabled": true]]) { _, client in
            let start = ContinuousClock.now
            let calls = try (0..<8).map { _ in try client.beginTool("ssh_read_file", ["path": path]) }
            var times: [Duration] = []
            while calls.contains(where: { !$0.isAnswered }) && times.count < 400 {
                times += try Self.times(of: client, count: 1)
            }
            for call in calls { #expect(try call.waitForTool(timeout: .seconds(60)).isError == false) }
            times.sort()
            // Making one takes an eighth of all; behind it, a call would take about as long.
            let bound = max(.milliseconds(200), (ContinuousClock.now - start) / 24)
            #expect(times.count >= 8 && times[times.count * 9 / 10] < bound, "\(times.suffix(20)) of \(times.count)")
        }
    }

    @Test("edits of lines that begin alike are quick, and no call waits for them")
    func edits() throws {
        let place = try Place()
        let common = String(repeating: "the same beginning of every line ", count: 60)
        let lines = (0..<1990).map { "\(common)\($0 % 7)old\($0)\n" }.joined()
        let path = JSON.string(try place.write("f", lines))
        try withDaemon(BusyWorkerTests.config) { _, client in
            let edits: JSON = [["old_text": "old", "new_text": "new", "replace_all": true]]
            let calls = try (0..<4).map { _ in
                try client.beginTool("ssh_edit_file", ["path": path, "edits": edits, "dry_run": true])
            }
            for _ in 0..<80 { _ = try client.callTool("ssh_connection_status") }
            for call in calls { #expect(try call.waitForTool()["replacements"] == 1990) }
        }
    }

    @Test("the worker's memory stays small, whatever an edit asks for", arguments: [false, true])
    func memory(dryRun: Bool) throws {
        let place = try Place()
        let path = JSON.string(try place.write("a", String(repeating: "a", count: 4 << 20)))
        let lines = JSON.string(try place.write("lines", String(repeating: "\n", count: 4 << 20)))
        try withDaemon(BusyWorkerTests.config) { daemon, client in
            func edit(_ path: JSON, _ old: String, _ new: String) throws -> PendingResponse {
                try client.beginTool(
                    "ssh_edit_file",
                    [
                        "path": path, "dry_run": .bool(dryRun),
                        "edits": [["old_text": .string(old), "new_text": .string(new), "replace_all": true]],
                    ])
            }
            let worker = try #require(daemon.workers().first)
            let refused = try edit(path, "a", String(repeating: "b", count: 1024)).waitForTool()
            #expect(refused.isError)
            for words in ["4194304 places", "4294967296 bytes", "8388608", "Nothing was written"] {
                #expect(refused.text.contains(words), "\(refused.text)")
            }
            // Near the limit, many at once, and each line another.
            let large = try (0..<8).map { _ in try edit(path, "a", "aa") } + [edit(lines, "\n", "\r\n")]
            for call in large {
                let result = try call.waitForTool(timeout: .seconds(120))
                #expect(!dryRun || !result.isError, "\(result)")
            }
            let most = worker.status("VmHWM")?.split(separator: " ").first.flatMap { Int($0) } ?? 0
            #expect(most > 0 && most < 400_000, "\(most) kB")
            #expect(daemon.workerPIDs() == [worker.pid], "the same worker lives")
        }
    }

    @Test("however many edits are asked for, few have their file in memory at the same time")
    func manyEdits() throws {
        let place = try Place()
        let file = try place.write("a", String(repeating: "a", count: 4 << 20))
        // Under many names: edits of one path wait for each other.
        let paths = (0..<120).map { place.file("\($0)") }
        for path in paths { try FileManager.default.linkItem(atPath: file, toPath: path) }
        try withDaemon(BusyWorkerTests.config) { daemon, client in
            let worker = try #require(daemon.workers().first)
            // What nearly matches everywhere takes longer to look for than the file takes to come.
            let edits: JSON = [["old_text": "aaab", "new_text": "b"]]
            let calls = try paths.map {
                try client.beginTool("ssh_edit_file", ["path": .string($0), "edits": edits, "dry_run": true])
            }
            for call in calls { #expect(try call.waitForTool(timeout: .seconds(200)).isError) }
            let most = worker.status("VmHWM")?.split(separator: " ").first.flatMap { Int($0) } ?? 0
            #expect(most > 0 && most < 200_000, "\(most) kB")
            #expect(daemon.workerPIDs() == [worker.pid], "the same worker lives")
        }
    }
}
