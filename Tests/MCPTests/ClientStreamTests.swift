import Foundation
import Glibc
import JSON
import TestSupport
import Testing

@testable import MCP

/// What a client sends by way of a socket, and when it is given up.
@Suite("A client's stream", .timeLimit(.minutes(1)))
struct ClientStreamTests {
    private static let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// Sends parts, each behind its pause, on a thread of its own; the last one stays the end.
    private func read(_ parts: [(pause: Duration, text: String)], patience: Duration) async -> ConnectionEnd {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Self.kind, 0, &ends) == 0 else { return .failed(errno: errno) }
        let (ours, theirs) = (ends[0], ends[1])
        defer { close(ours) }
        Thread.detachNewThread {
            // The pace is what is tested; nothing waits for it to be right.
            for (pause, text) in parts {
                usleep(UInt32(pause / .microseconds(1)))
                guard send(theirs, text, text.utf8.count, Int32(MSG_NOSIGNAL)) > 0 else { break }
            }
            // Stays open: it is not the end of the stream that ends the line.
            usleep(200_000)
            close(theirs)
        }
        return await ClientStream(descriptor: ours, patience: patience).readLines(limit: 1000) { _ in }
    }

    @Test func `the rest of a line that is too long is read for as long as the client sends it, for the id at its end`()
        async
    {
        let part = String(repeating: "x", count: 60_000)
        let begin = [(Duration.zero, #"{"jsonrpc":"2.0","method":"m","params":{"a":""# + part)]
        let middle = (0..<20).map { _ in (Duration.milliseconds(250), part) }
        let end = [(Duration.milliseconds(250), "\"},\"id\":201}\n")]
        // All of it takes three times as long as a silent client has.
        guard case .lineTooLong(_, let line) = await read(begin + middle + end, patience: .milliseconds(1750)) else {
            Issue.record("the line was taken")
            return
        }
        #expect(line.ids == [.integer(201)])
    }

    @Test
    func `a short answer does not wait for a long one that is being made, and only one of those stands in memory`()
        async
    {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Self.kind, 0, &ends) == 0 else { return }
        let (ours, theirs) = (ends[0], ends[1])
        let stream = ClientStream(descriptor: ours)
        let (begun, end) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let made = AsyncStream.makeStream(of: Int.self)
        let large = Task {
            await stream.writeLater(isLarge: true) {
                begun.signal()
                end.wait()
                return [UInt8](repeating: UInt8(ascii: "1"), count: 1 << 20)
            }
        }
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                begun.wait()
                continuation.resume()
            }
        }
        let second = Task {
            await stream.writeLater(isLarge: true) {
                made.continuation.yield(2)
                return Array("2".utf8)
            }
        }
        await stream.writeLater(isLarge: false) { Array("short".utf8) }
        var bytes = [UInt8](repeating: 0, count: 6)
        #expect(Glibc.read(theirs, &bytes, bytes.count) == 6 && bytes == Array("short\n".utf8))
        end.signal()
        // More than the socket takes: the first stands until the client has read it, and so long the second is not made.
        var rest: [UInt8] = []
        bytes = [UInt8](repeating: 0, count: 100_000)
        while rest.count < 1 << 20 {
            let count = Glibc.read(theirs, &bytes, bytes.count)
            guard count > 0 else { break }
            rest += bytes[..<count]
        }
        var numbers = made.stream.makeAsyncIterator()
        #expect(await numbers.next() == 2)
        _ = await (large.value, second.value)
        close(ours)
        while case let count = Glibc.read(theirs, &bytes, bytes.count), count > 0 { rest += bytes[..<count] }
        #expect(rest == [UInt8](repeating: UInt8(ascii: "1"), count: 1 << 20) + Array("\n2\n".utf8))
        close(theirs)
    }

    @Test func `one that drips, or is silent, is given up and told that its id is not known`() async {
        let begin = (
            Duration.zero, #"{"jsonrpc":"2.0","method":"m","params":{"a":""# + String(repeating: "x", count: 2000)
        )
        for rest in [[], (0..<1000).map { _ in (Duration.milliseconds(20), "x") }] {
            guard case .lineTooLong(_, let line) = await read([begin] + rest, patience: .milliseconds(200)) else {
                Issue.record("the line was taken")
                return
            }
            #expect(line.ids == [])
            let talk = Conversation()
            talk.server.refuseLine(line, limit: 1000)
            #expect(talk.answers[0]["error"]["message"].string?.contains("No id was found") == true)
        }
    }
}
