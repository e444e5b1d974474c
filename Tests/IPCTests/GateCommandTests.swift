import Testing

@testable import IPC

@Suite("Commands on their way to a gate")
struct GateCommandTests {
    private static func command(_ text: String, _ environment: [String: String] = [:]) -> GateCommand {
        GateCommand(
            host: "box", command: text, directory: "~/é", environment: environment, seconds: 30, nonce: "abcd1234",
            call: 9)
    }

    /// What a gate makes of these parts.
    private static func received(_ parts: [String], nonce: String = "abcd1234", seconds: UInt32 = 30) throws
        -> GateCommand
    {
        var ahead = WordsAhead()
        for part in parts.dropLast() { try ahead.take(part, 7) }
        #expect(ahead.awaited == (parts.count > 1 ? 7 : nil))
        let command = try ahead.command(
            host: "box", seconds: seconds, nonce: nonce, words: parts.last ?? "", call: 9, 7)
        #expect(ahead.awaited == nil)
        return command
    }

    @Test(arguments: [
        command(""), command("id"), command("echo '\n'", ["A": "", "B": "=x=", "_C9": "\u{301}\n"]),
        command(String(repeating: "x", count: 130_000)), command(String(repeating: "漢", count: 40_000), ["A": "🙂"]),
        command("id", ["LONG": String(repeating: "é🙂", count: 20_000)]),
    ])
    func `a command comes as it was sent, in parts that packets have room for`(command: GateCommand) throws {
        let requests = try #require(command.requests)
        for request in [requests.judge, requests.exec] {
            let parts = request.packets.map { packet in
                switch packet {
                case .words(let words), .exec(_, _, _, let words, 9), .judge(_, _, _, let words, 9): words
                case .exec, .judge, .alive, .sftp, .shell, .close, .errand, .judgeForward, .ticket, .exports: ""
                }
            }
            #expect(parts.allSatisfy { (1...Frame.maximumText).contains($0.utf8.count) })
            #expect(try Self.received(parts) == command)
        }
    }

    @Test func `a ticket for a command is asked for with its last words`() throws {
        let request = try #require(Self.command(String(repeating: "x", count: 130_000)).requests).exec
        let packets = GateRequest.ticket(TicketRequest(request)).packets
        #expect(packets.count == request.packets.count && packets.dropLast() == request.packets.dropLast())
        #expect(packets.last == request.packets.last.map { .ticket(TicketRequest($0)) })
        #expect(packets.allSatisfy { $0.descriptorCount == 0 })
    }

    @Test func `a ticket is for a session, and for nothing else`() throws {
        let kinds = TicketRequest.kinds.map(\.request)
        #expect(kinds.allSatisfy { $0.descriptorCount == 3 } && !kinds.isEmpty)
        for request in GateRequest.kinds where request.descriptorCount == 0 {
            let packet = try GateRequest.ticket(TicketRequest(request)).encoded(requestID: 1)
            #expect(throws: IPCError.unknownTag(request.number)) { try GateRequest.decode(packet[...]) }
        }
        // As deep as a packet has room for.
        let nested = try GateRequest.close.encoded(requestID: 1).dropLast() + [UInt8](repeating: 16, count: 60_000)
        #expect(throws: IPCError.unknownTag(16)) { try GateRequest.decode(nested[...]) }
    }

    @Test func `what cannot run is not sent`() {
        #expect(Self.command(String(repeating: "x", count: GateCommand.maximumWords)).requests == nil)
    }

    @Test(arguments: [
        "", "x", "\0", "d\0c", "d\0c\0=x\0", "d\0c\0A\0", "d\0c\0A B=x\0", "d\0c\09=x\0", "d\0c\0A=1\0A=2\0",
        "d\0c\0\0", "d\0c\0é=x\0", "d\0c\0A\u{301}=x\0",
    ])
    func `words that no honest worker sends are refused`(words: String) {
        #expect(throws: WordsAhead.Violation.self) { try Self.received([words]) }
    }

    @Test(arguments: [
        "", "a", "short", "abc d123", "abcd'123", "ABCDEFGH", "abcd1234\n", String(repeating: "x", count: 33),
    ])
    func `a nonce is letters and digits, enough of them`(nonce: String) {
        #expect(throws: WordsAhead.Violation.self) { try Self.received(["d\0c\0"], nonce: nonce) }
        #expect(!ObserverID(processID: 7, nonce: nonce).isPossible)
    }

    @Test func `nonces that are made are nonces`() {
        for _ in 0..<1000 { #expect(Nonce.isOne(Nonce.make())) }
        #expect(ObserverID(processID: 2, nonce: Nonce.make()).isPossible)
        for number: UInt32 in [0, 1, (1 << 22) + 1, .max] {
            #expect(!ObserverID(processID: number, nonce: Nonce.make()).isPossible)
        }
    }

    @Test func `a time is neither none nor without end`() {
        for seconds in [0, GateCommand.longest + 1, .max] {
            #expect(throws: WordsAhead.Violation.self) { try Self.received(["d\0c\0"], seconds: seconds) }
        }
    }

    @Test func `words ahead are of one command, bounded, and never empty`() throws {
        let most = String(repeating: "x", count: GateCommand.maximumWords / 4)
        var ahead = WordsAhead()
        #expect(throws: WordsAhead.Violation.self) { try ahead.take("", 1) }
        for _ in 0..<4 { try ahead.take(most, 1) }
        #expect(throws: WordsAhead.Violation.self) { try ahead.take("x", 1) }
        #expect(throws: WordsAhead.Violation.self) { try ahead.take("x", 2) }
        #expect(throws: WordsAhead.Violation.self) {
            try ahead.command(host: "box", seconds: 1, nonce: "abcd1234", words: "\0\0", 1)
        }
        try ahead.take("x", 1)
        #expect(throws: WordsAhead.Violation.self) {
            try ahead.command(host: "box", seconds: 1, nonce: "abcd1234", words: "\0\0", 2)
        }
    }
}
