import TestSupport
import Testing

@testable import Mux

@Suite struct MuxReplyTests {
    @Test func `replies are as the protocol has them`() throws {
        let expected: [[UInt8]] = [
            .fields(1, 4), .fields(0x8000_0001, 1), .fields(0x8000_0002, 1) + .text("Permission denied"),
            .fields(0x8000_0003, 1) + .text("Session open refused by peer"), .fields(0x8000_0004, 2, 3),
            .fields(0x8000_0005, 1, 4711), .fields(0x8000_0006, 1, 2), .fields(0x8000_0007, 1, 50_000),
            .fields(0x8000_0008, 2), .fields(0x9000_0001, 1, 1) + .text("channels"),
        ]
        #expect(MuxReply.samples.map(\.type) == ReplyType.allCases)
        for (reply, bytes) in zip(MuxReply.samples, expected) {
            #expect(reply.encoded() == bytes.framed)
            #expect(try MuxReply.decode(bytes[...]) == reply)
        }
    }

    @Test func `extensions of HELLO are passed over, but must be names and values`() throws {
        // OpenSSH 10.
        let info = [UInt8].fields(1, 4) + .text("info") + .text("0")
        #expect(try MuxReply.decode(info[...]) == .hello(version: 4))
        let two = info + .text("other") + .text("")
        #expect(try MuxReply.decode(two[...]) == .hello(version: 4))
        for end in (info.count + 1)..<two.count {
            #expect(MuxReply.violation(in: two[..<end]) == .truncated)
        }
        // What another version has behind its number is its own affair.
        #expect(try MuxReply.decode(([UInt8].fields(1, 5) + [1, 2, 3])[...]) == .hello(version: 5))
    }

    @Test(arguments: MuxReply.samples)
    func `every cut of a reply, and every byte behind it, is refused`(reply: MuxReply) {
        let message = Array(reply.encoded()[4...])
        for end in 0..<message.count {
            #expect(MuxReply.violation(in: message[..<end]) == .truncated)
        }
        let refused: MuxViolation = reply.type == .hello ? .truncated : .trailingBytes(1)
        #expect(MuxReply.violation(in: (message + [0])[...]) == refused)
    }

    @Test func `numbers that are no reply's are refused, requests and PROXY among them`() {
        for number: UInt32 in [0, 2, 0x1000_0002, 0x1000_000F, 0x8000_0000, 0x8000_0009, 0x8000_000F, .max] {
            let message = [UInt8].fields(number, 1)
            #expect(
                MuxReply.violation(in: message[...]) == .unknownType(number))
        }
    }

    @Test func `a reason is bounded and readable whatever a master puts into it`() throws {
        func reason(_ bytes: [UInt8]) throws -> String? {
            let message = [UInt8].fields(0x8000_0003, 1, UInt32(bytes.count)) + bytes
            guard case .failure(_, let reason) = try MuxReply.decode(message[...]) else { return nil }
            return reason
        }
        #expect(try reason(Array("a\u{FF}".utf8) + [0xFF]) == "a\u{FF}\u{FFFD}")
        let long = try #require(try reason([UInt8](repeating: 0xFF, count: 10_000)))
        #expect(long.utf8.count <= MuxProtocol.maximumReason && !long.isEmpty)
        #expect(
            MuxReply.failure(request: 1, reason: "a\0b").encoded()
                == MuxReply.failure(request: 1, reason: "a").encoded())
        let zero = [UInt8].fields(0x8000_0003, 1) + .text("a\0b")
        #expect(MuxReply.violation(in: zero[...]) == .badText)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `what is encoded decodes to the same`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2_000 {
            let reply = MuxReply.random(using: &generator)
            let message = reply.encoded()
            #expect(message.count <= MuxProtocol.maximumReply + 4)
            let read = try MuxReply.decode(message[4...])
            switch reply {
            case .permissionDenied(_, let reason), .failure(_, let reason), .extendedInfo(_, _, let reason):
                guard reason.utf8.count > MuxProtocol.maximumReason else { fallthrough }
                #expect(try MuxReply.decode(read.encoded()[4...]) == read)
            case .hello, .ok, .exitMessage, .alive, .sessionOpened, .remotePort, .ttyAllocFail:
                #expect(read == reply)
            }
        }
    }
}
