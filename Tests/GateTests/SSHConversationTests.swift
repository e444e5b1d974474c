import IPC
import TestSupport
import Testing

@testable import Mux

/// What an `ssh` may say to the gate as its master, piece by piece.
@Suite struct SSHConversationTests {
    /// What an ssh sends that opens a session, without its descriptors.
    private static func opening(_ command: String = "t1", isSubsystem: Bool = false) throws -> [UInt8] {
        try FakeSSH.hello + FakeSSH.aliveCheck(1)
            + MuxRequest.newSession(request: 2, session(command, isSubsystem: isSubsystem)).encoded()
    }

    /// Gives a conversation bytes in pieces of at most `most`, as many as it wants, and then descriptors one by one.
    private static func run(
        _ bytes: [UInt8], most: Int = .max, descriptors: Int = 0
    ) throws(MuxViolation) -> [SSHConversation.Action] {
        var conversation = SSHConversation(processID: 7)
        var actions: [SSHConversation.Action] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(min(most, conversation.wanted))
            rest = rest.dropFirst(piece.count)
            actions += try conversation.received(piece, descriptors: 0)
        }
        for _ in 0..<descriptors { actions += try conversation.received([0], descriptors: 1) }
        return actions
    }

    private static func violation(_ bytes: [UInt8], descriptors: Int = 0) -> MuxViolation? {
        do throws(MuxViolation) {
            _ = try run(bytes, descriptors: descriptors)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [(1, false), (2, true), (3, false), (5, true), (7, false), (64, true), (Int.max, false)])
    func `greeted, asked whether it lives, asked for a session: each is answered, however the bytes come`(
        most: Int, isSubsystem: Bool
    ) throws {
        let actions = try Self.run(Self.opening(isSubsystem: isSubsystem), most: most, descriptors: 3)
        #expect(
            actions == [
                .send(.hello(version: 4)), .send(.alive(request: 1, masterPID: 7)),
                .open(try session("t1", isSubsystem: isSubsystem)),
            ])
    }

    @Test func `no more is wanted than belongs to the message: the byte behind it may carry a descriptor`() throws {
        var conversation = SSHConversation(processID: 7)
        for byte in try Self.opening() {
            #expect(conversation.wanted >= 1)
            _ = try conversation.received([byte], descriptors: 0)
        }
        #expect(conversation.wanted == 1)
        for _ in 0..<3 {
            #expect(!conversation.hasAsked)
            _ = try conversation.received([0], descriptors: 1)
        }
        #expect(conversation.wanted == 1 && conversation.hasAsked)
        #expect(conversation.opened(session: 5) == .sessionOpened(request: 2, session: 5))
        #expect(conversation.refused("no") == .failure(request: 2, reason: "no"))
    }

    @Test func `a length alone takes no memory, and one that is too long is a violation`() throws {
        var conversation = SSHConversation(processID: 7)
        _ = try conversation.received(FakeSSH.hello, descriptors: 0)
        _ = try conversation.received([UInt8].fields(UInt32(MuxProtocol.maximumRequest)), descriptors: 0)
        #expect(conversation.wanted <= 64 * 1024)
        #expect(Self.violation([0, 4, 0, 1]) == .tooLong(256 * 1024 + 1))
        #expect(Self.violation([0xFF, 0xFF, 0xFF, 0xFF]) == .tooLong(.max))
    }

    @Test func `what comes out of turn is a violation`() throws {
        let asked = try Self.opening()
        let rest = try MuxRequest.newSession(request: 3, session("t2")).encoded()
        #expect(Self.violation(FakeSSH.aliveCheck(1)) == .badValue("message"), "no greeting")
        #expect(Self.violation(rest) == .badValue("message"), "no greeting")
        #expect(Self.violation(FakeSSH.hello + FakeSSH.hello) == .badValue("message"), "two greetings")
        #expect(Self.violation(asked + [1]) == .badValue("descriptor"), "bytes for descriptors")
        #expect(Self.violation(asked + rest) == .badValue("descriptor"), "a second session")
        #expect(Self.violation(asked, descriptors: 4) == .badValue("message"), "a fourth descriptor")
        let checks = (0..<9).flatMap { FakeSSH.aliveCheck($0) }
        #expect(Self.violation(FakeSSH.hello + checks) == .badValue("alive check"))
        #expect(Self.violation(FakeSSH.hello + checks.dropLast(12)) == nil)
    }

    @Test(arguments: RefusedRequest.allCases)
    func `what a master can do beside sessions is refused by name, before and behind the greeting`(
        request: RefusedRequest
    ) {
        let message = ([UInt8].fields(request.rawValue, 1) + .text("127.0.0.1") + .fields(80)).framed
        #expect(Self.violation(FakeSSH.hello + message) == .refusedRequest(request))
        #expect(Self.violation(message) == .refusedRequest(request))
    }

    @Test func `an ssh of another version is greeted, and left`() throws {
        #expect(try Self.run([UInt8].fields(1, 5).framed) == [.send(.hello(version: 4)), .leave])
    }

    @Test func `a descriptor comes with the zero byte of its own, and with no other`() throws {
        for (bytes, count) in [([UInt8(1)], 1), ([0, 0], 1), ([0], 0), ([0], 2), ([0], 3)] as [([UInt8], Int)] {
            var conversation = SSHConversation(processID: 7)
            _ = try conversation.received(Self.opening(), descriptors: 0)
            #expect(throws: MuxViolation.self, "\(bytes) \(count)") {
                try conversation.received(bytes, descriptors: count)
            }
        }
        var conversation = SSHConversation(processID: 7)
        #expect(throws: MuxViolation.self) { try conversation.received(FakeSSH.hello, descriptors: 1) }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no bytes trap, and none but a whole and good request asks for a session`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let good = try Self.opening()
        var opened = 0
        for _ in 0..<5_000 {
            var bytes = good
            for _ in 0..<Int.random(in: 0...2, using: &generator) {
                let index = Int.random(in: 0..<bytes.count, using: &generator)
                bytes[index] = UInt8(generator.next() & 0xFF)
            }
            if generator.next() & 7 == 0 {
                bytes = Array(bytes.dropLast(Int.random(in: 0..<bytes.count, using: &generator)))
            }
            let most = [1, 3, 100].randomElement(using: &generator) ?? 1
            guard let actions = try? Self.run(bytes, most: most, descriptors: 3) else { continue }
            for action in actions {
                guard case .open(let session) = action else { continue }
                opened += 1
                // Changed in a number, in the ticket, or in what is the client's own affair.
                #expect(session.command.utf8.count == 2)
            }
        }
        #expect(opened > 500)
    }
}
