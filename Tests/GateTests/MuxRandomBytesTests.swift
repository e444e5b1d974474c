import TestSupport
import IPC
import Testing

@testable import Mux

/// A hostile master, and a hijacked worker's `ssh`, send what they like. The seed of a failing run is in its name.
@Suite struct MuxRandomBytesTests {
    /// Noise, noise behind a good number, a good message with one byte changed, a good message cut or lengthened.
    private func message(_ good: [[UInt8]], _ numbers: [UInt32], _ generator: inout SeededGenerator) -> [UInt8] {
        let noise = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
            generator.next() & 1 == 0 ? UInt8(generator.next() & 3) : UInt8(generator.next() & 0xFF)
        }
        guard var one = good.randomElement(using: &generator) else { return noise }
        switch generator.next() & 3 {
        case 0: return noise
        case 1: return .fields(numbers.randomElement(using: &generator) ?? 0) + noise
        case 2:
            one[Int.random(in: 0..<one.count, using: &generator)] = UInt8(generator.next() & 0xFF)
            return one
        default: return Bool.random(using: &generator) ? Array(one.dropLast(noise.count)) : one + noise
        }
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `no reply traps, and what is read of one is stable`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let good = MuxReply.samples.map { Array($0.encoded()[4...]) }
        var read = 0
        for _ in 0..<20_000 {
            let message = message(good, ReplyType.allCases.map(\.rawValue), &generator)
            guard let reply = try? MuxReply.decode(message[...]) else { continue }
            read += 1
            #expect(try MuxReply.decode(reply.encoded()[4...]) == reply)
        }
        #expect(read > 500 && read < 19_500)
    }

    @Test(arguments: [5, 6, 7, 8] as [UInt64])
    func `no request of an ssh traps, and what is read of one is what the gate would say`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let good = [
            [UInt8].fields(1, 4), .fields(0x1000_0004, 9),
            Array(try MuxRequest.newSession(request: 9, session("true")).encoded()[4...]),
        ]
        let numbers = RequestType.allCases.map(\.rawValue) + RefusedRequest.allCases.map(\.rawValue)
        var read = 0
        for _ in 0..<20_000 {
            let message = message(good, numbers, &generator)
            guard let request = try? SSHRequest.decode(message[...]) else { continue }
            read += 1
            let again: [UInt8] =
                switch request {
                case .hello(let version): .fields(8, 1, version)
                case .aliveCheck(let number): MuxRequest.aliveCheck(request: number).encoded()
                case .newSession(let number, let session):
                    MuxRequest.newSession(request: number, session).encoded()
                }
            #expect(try SSHRequest.decode(again[4...]) == request)
        }
        #expect(read > 500 && read < 19_500)
    }

    /// Facts in an order that no honest driver could misread.
    @Test(arguments: [9, 10, 11, 12] as [UInt64])
    func `a conversation with any master stays in order and ends once`(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let forward = try #require(MuxForward(listenPort: 1, target: .tcp(host: "a", port: 1)))
        let requests: [MasterRequest] = [
            .session(try session("true")), .session(try session("true")), .control(.alive),
            .control(.openForward(forward)), .control(.closeForward(forward)),
        ]
        let hello = MuxReply.hello(version: 4).encoded()
        let good = MuxReply.samples.map { Array($0.encoded()[4...]) }
        var opened = 0
        for _ in 0..<4_000 {
            let request = try #require(requests.randomElement(using: &generator))
            var conversation = MasterConversation(request)
            var actions = conversation.opening
            if generator.next() & 7 != 0 { actions += conversation.received(hello) }
            if generator.next() & 7 != 0 { conversation.passedDescriptors() }
            var lawful = lawfulReplies(request)[...]
            for _ in 0..<6 {
                switch generator.next() & 15 {
                case 0: actions += conversation.lost(errno: Int32(generator.next() & 1))
                case 1: actions += conversation.timedOut()
                case 2: actions += conversation.ask(.alive) ?? []
                case 13: conversation.passedDescriptors()
                case 3...6:
                    var bytes = message(good, ReplyType.allCases.map(\.rawValue), &generator).framed
                    if generator.next() & 7 == 0 { bytes[0] = UInt8(generator.next() & 0xFF) }
                    let cut = Int.random(in: 0...bytes.count, using: &generator)
                    actions += conversation.received(bytes[..<cut])
                    actions += conversation.received(bytes[cut...])
                case 7...12: actions += conversation.received(lawful.popFirst()?.encoded() ?? [])
                default: actions += conversation.received((good.randomElement(using: &generator) ?? []).framed)
                }
            }
            expectInOrder(actions, request)
            if actions.contains(.report(.sessionOpened)) { opened += 1 }
        }
        #expect(opened > 500)
    }

    /// What an honest master says after its HELLO.
    private func lawfulReplies(_ request: MasterRequest) -> [MuxReply] {
        switch request {
        case .session: [.sessionOpened(request: 1, session: 2), .exitMessage(session: 2, status: 3)]
        case .control(.alive): [.alive(request: 1, masterPID: 7), .alive(request: 2, masterPID: 7)]
        case .control(.openForward), .control(.closeForward):
            [.ok(request: 1), .alive(request: 2, masterPID: 7)]
        }
    }

    private func expectInOrder(_ actions: [MasterConversation.Action], _ request: MasterRequest) {
        var sessions = 0
        var opened = false
        var exited = false
        for (index, action) in actions.enumerated() {
            switch action {
            case .send(let bytes): if bytes[4...].starts(with: [UInt8].fields(0x1000_0002)) { sessions += 1 }
            case .passDescriptors:
                guard case .send(let bytes) = actions[index - 1] else {
                    Issue.record("descriptors behind nothing: \(actions)")
                    return
                }
                #expect(bytes[4...].starts(with: [UInt8].fields(0x1000_0002)))
            case .close: #expect(index == actions.count - 1, "\(actions)")
            case .report(.sessionOpened):
                #expect(!opened && sessions == 1, "\(actions)")
                opened = true
            case .report(.sessionExited(let status)):
                #expect(opened && !exited && status <= .max, "\(actions)")
                exited = true
            case .report(.sessionEnded(let status)): #expect(opened && (status != nil) == exited, "\(actions)")
            case .report(.alive), .report(.forwardOpened), .report(.forwardClosed):
                if case .session = request { Issue.record("an answer that was not asked for: \(actions)") }
            case .report(.refused): #expect(!opened, "\(actions)")
            case .report(.failed): #expect(actions[(index + 1)...] == [.close], "\(actions)")
            }
        }
        #expect(sessions <= 1)
    }
}
