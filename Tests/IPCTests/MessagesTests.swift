import Testing

@testable import IPC

@Suite("IPC messages")
struct MessagesTests {
    private func decode<Message: IPCMessage>(
        _: Message.Type, _ packet: [UInt8]
    ) -> Result<Message, IPCError> {
        do throws(IPCError) {
            return .success(try Message.decode(packet[...]).message)
        } catch {
            return .failure(error)
        }
    }

    private func expect<Message: IPCMessage>(
        _: Message.Type, _ packet: [UInt8], fails error: IPCError, _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(decode(Message.self, packet) == .failure(error), sourceLocation: location)
    }

    private func roundTrip<Message: SampledMessage>(_: Message.Type) throws {
        #expect(Set(Message.samples.map(\.kind)) == Set(Message.Kind.allCases), "every case has a sample")
        for message in Message.samples {
            for id in [0, 1, 0xA1B2_C3D4, UInt32.max] {
                let packet = message.encoded(requestID: id)
                #expect(packet.count <= Frame.maximumSize)
                let decoded = try Message.decode(packet[...])
                #expect(decoded.message == message)
                #expect(decoded.requestID == id)
            }
        }
    }

    @Test func `every message to a worker comes back as it was`() throws { try roundTrip(ToWorker.self) }

    @Test func `every message to the supervisor comes back as it was`() throws { try roundTrip(ToSupervisor.self) }

    @Test func `a packet is read where it lies in a larger buffer`() throws {
        let packet = ToWorker.setup(.refuse(reason: "no place")).encoded(requestID: 7)
        let buffer = [0xFF, 0xFF, 0xFF] + packet + [0xFF]
        let decoded = try ToWorker.decode(buffer[3..<(3 + packet.count)])
        #expect(decoded.message == .setup(.refuse(reason: "no place")))
        #expect(decoded.requestID == 7)
    }

    @Test func `the layout is version, tag, two zeros, request id, fields, all little-endian`() {
        #expect(
            ToWorker.drain(milliseconds: 0x0102_0304).encoded(requestID: 0xA1B2_C3D4)
                == [1, 2, 0, 0, 0xD4, 0xC3, 0xB2, 0xA1, 4, 3, 2, 1])
        #expect(ToWorker.setup(.serve).encoded(requestID: 0) == [1, 1, 0, 0, 0, 0, 0, 0, 0])
        #expect(
            ToWorker.setup(.refuse(reason: "é")).encoded(requestID: 1)
                == [1, 1, 0, 0, 1, 0, 0, 0, 1, 2, 0, 0, 0, 0xC3, 0xA9])
        #expect(ToWorker.policy.encoded(requestID: 0) == [1, 3, 0, 0, 0, 0, 0, 0])
        #expect(
            ToWorker.localOpened(size: 0x0102_0304_0506_0708).encoded(requestID: 9)
                == [1, 4, 0, 0, 9, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1])
        #expect(ToSupervisor.commitLocal(handle: 5).encoded(requestID: 2) == [1, 6, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0])
        #expect(ToSupervisor.ready(landlockABI: 6).encoded(requestID: 0) == [1, 1, 0, 0, 0, 0, 0, 0, 6])
        #expect(ToSupervisor.clientGone.encoded(requestID: 0) == [1, 2, 0, 0, 0, 0, 0, 0])
        #expect(
            ToSupervisor.clientDropped(reason: "x").encoded(requestID: 0)
                == [1, 3, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0x78])
    }

    @Test func `the policy and local files travel as descriptors, and nothing else does`() {
        for message in ToWorker.samples {
            switch message.kind {
            case .setupServe, .setupRefuse, .setupReap, .setupCheck, .policy, .localOpened, .localCreated:
                #expect(message.carriesDescriptor)
            case .drain, .proceed, .refuseClient, .localCommitted, .localRefused, .auditBegun, .forwardAssigned,
                .forwardRunning, .forwardRefused, .forwards, .closeForward, .forwardClosed:
                #expect(!message.carriesDescriptor)
            }
        }
        for message in ToSupervisor.samples { #expect(!message.carriesDescriptor) }
    }

    @Test(arguments: [0, 2, 255] as [UInt8])
    func `another version is refused`(version: UInt8) {
        var packet = ToWorker.policy.encoded(requestID: 1)
        packet[0] = version
        expect(ToWorker.self, packet, fails: .unknownVersion(version))
        expect(ToSupervisor.self, packet, fails: .unknownVersion(version))
    }

    @Test func `every tag that no message has is refused`() {
        for tag in UInt8.min...UInt8.max where !(1...9).contains(tag) && !(10...15).contains(tag) {
            let packet: [UInt8] = [1, tag, 0, 0, 0, 0, 0, 0]
            if tag != 20 { expect(ToWorker.self, packet, fails: .unknownTag(tag)) }
            if ![20, 21, 30, 31].contains(tag) { expect(ToSupervisor.self, packet, fails: .unknownTag(tag)) }
        }
    }

    private func truncation<Message: SampledMessage>(_: Message.Type) {
        for message in Message.samples {
            let packet = message.encoded(requestID: 3)
            let lengths =
                packet.count < 200 ? Array(0..<packet.count) : Array(0..<64) + [packet.count / 2, packet.count - 1]
            for length in lengths { expect(Message.self, Array(packet[..<length]), fails: .truncated) }
            expect(Message.self, packet + [0], fails: .trailingBytes(1))
            expect(Message.self, packet + [1, 2, 3], fails: .trailingBytes(3))
        }
    }

    @Test func `a packet to a worker cut at any byte is truncated, a longer one has bytes left over`() {
        truncation(ToWorker.self)
    }

    @Test func `a packet to the supervisor cut at any byte is truncated, a longer one has bytes left over`() {
        truncation(ToSupervisor.self)
    }

    @Test func `a role that does not exist is refused`() {
        for role in UInt8(4)...UInt8.max {
            expect(ToWorker.self, [1, 1, 0, 0, 0, 0, 0, 0, role], fails: .badValue)
        }
    }

    @Test
    func
        `more forwards than may be, a way to fail that there is not, and a closed forward that is none or two are refused`()
    {
        expect(ToWorker.self, [1, 13, 0, 0, 0, 0, 0, 0, 65], fails: .tooLong(65))
        expect(ToSupervisor.self, [1, 12, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3], fails: .badValue)
        var packet = ToWorker.forwards([]).encoded(requestID: 0)
        packet[1] = 15
        expect(ToWorker.self, packet, fails: .badValue)
    }

    @Test func `the fullest list of forwards fits a packet, with its reasons cut`() throws {
        let entry = ForwardEntry(
            forward: 1, host: String(repeating: "h", count: 100), localPort: 1,
            remoteHost: String(repeating: "r", count: 253), remotePort: 1, since: 1,
            reason: String(repeating: "é", count: 5_000))
        let packet = ToWorker.forwards(Array(repeating: entry, count: 64)).encoded(requestID: 0)
        #expect(packet.count <= Frame.maximumSize)
        guard case .forwards(let entries) = try ToWorker.decode(packet[...]).message else {
            Issue.record("another message came back")
            return
        }
        #expect(entries.count == 64)
        #expect(entries.allSatisfy { $0.reason.utf8.count == 300 })
    }

    @Test func `the reserved bytes must be zero`() {
        for index in [2, 3] {
            for value in [1, 0x80, 0xFF] as [UInt8] {
                var packet = ToSupervisor.clientGone.encoded(requestID: 0)
                packet[index] = value
                expect(ToSupervisor.self, packet, fails: .badValue)
            }
        }
    }

    @Test func `a text length over the limit is refused before a byte of the text is looked at`() {
        func header(_ length: UInt32) -> [UInt8] {
            [1, 3, 0, 0, 0, 0, 0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        }
        expect(ToSupervisor.self, header(32_769), fails: .tooLong(32_769))
        expect(ToSupervisor.self, header(.max), fails: .tooLong(Int(UInt32.max)))
        expect(ToSupervisor.self, header(32_769) + [UInt8](repeating: 0x61, count: 32_769), fails: .tooLong(32_769))
        expect(ToSupervisor.self, header(32_768), fails: .truncated)
    }

    @Test(
        arguments: [
            [0x80], [0xC3], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xFF], [0x61, 0xE6, 0xBC],
        ] as [[UInt8]])
    func `a text that is not UTF-8 is refused`(text: [UInt8]) {
        expect(ToSupervisor.self, [1, 3, 0, 0, 0, 0, 0, 0, UInt8(text.count), 0, 0, 0] + text, fails: .badValue)
    }

    @Test func `a packet over the limit is refused whatever is in it`() {
        expect(
            ToWorker.self, [UInt8](repeating: 1, count: Frame.maximumSize + 1), fails: .tooLong(Frame.maximumSize + 1))
    }

    @Test func `a long text is cut between characters, never refused`() throws {
        let texts = [
            String(repeating: "x", count: 100_000), String(repeating: "é漢🙂", count: 20_000),
            "x" + String(repeating: "🙂", count: 10_000), String(repeating: "x", count: Frame.maximumText) + "é",
            String(repeating: "x", count: Frame.maximumText - 1) + "é",
            // One character of 100,001 bytes.
            "a" + String(repeating: "\u{301}", count: 50_000),
        ]
        for (index, text) in texts.enumerated() {
            let packet = ToSupervisor.clientDropped(reason: text).encoded(requestID: 0)
            guard case .clientDropped(let kept) = try ToSupervisor.decode(packet[...]).message else {
                Issue.record("another message came back")
                return
            }
            #expect(Array(text.utf8.prefix(kept.utf8.count)) == Array(kept.utf8), "text \(index)")
            #expect(kept.utf8.count <= Frame.maximumText, "text \(index)")
            #expect(kept.utf8.count > Frame.maximumText - 4, "no more of text \(index) is cut than must be")
        }
    }

    @Test func `errors compare by all that they say`() {
        #expect(IPCError.tooLong(1) == .tooLong(1))
        #expect(IPCError.tooLong(1) != .tooLong(2))
        #expect(IPCError.unknownTag(1) != .unknownVersion(1))
        #expect(IPCError.system(call: "a", errno: 1) != .system(call: "a", errno: 2))
        #expect(IPCError.system(call: "a", errno: 1) != .system(call: "b", errno: 1))
    }
}
