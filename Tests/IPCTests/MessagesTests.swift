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
        #expect(Set(Message.samples.map(\.identity)) == Message.all, "every message has a sample")
        for message in Message.samples {
            for id in [0, 1, 0xA1B2_C3D4, UInt32.max] {
                let packet = try message.encoded(requestID: id)
                #expect(packet.count <= Frame.maximumSize)
                let decoded = try Message.decode(packet[...])
                #expect(decoded.message == message)
                #expect(decoded.requestID == id)
            }
        }
    }

    @Test func `every message to a worker comes back as it was`() throws { try roundTrip(ToWorker.self) }

    @Test func `every message to the supervisor comes back as it was`() throws { try roundTrip(ToSupervisor.self) }

    @Test func `every message of and to a file broker comes back as it was`() throws {
        try roundTrip(ToFileBroker.self)
        try roundTrip(FromFileBroker.self)
        try roundTrip(FileAnswer.self)
    }

    @Test func `every message of and to a gate comes back as it was`() throws {
        try roundTrip(ToGate.self)
        try roundTrip(FromGate.self)
        try roundTrip(GateRequest.self)
        try roundTrip(GateAnswer.self)
    }

    @Test func `a packet is read where it lies in a larger buffer`() throws {
        let packet = try ToWorker.life(.setup(.refuse(.noWorker(.notReady)))).encoded(requestID: 7)
        let buffer = [0xFF, 0xFF, 0xFF] + packet + [0xFF]
        let decoded = try ToWorker.decode(buffer[3..<(3 + packet.count)])
        #expect(decoded.message == .life(.setup(.refuse(.noWorker(.notReady)))))
        #expect(decoded.requestID == 7)
    }

    @Test func `no two messages of a subject have the same number, and each is of the kind that its number says`() {
        func check<Choice: MessageChoice>(_: Choice.Type) {
            #expect(Set(Choice.kinds.map(\.number)).count == Choice.kinds.count)
        }
        check(ToWorker.self)
        check(ToWorker.Life.self)
        check(ToWorker.Files.self)
        check(ToWorker.Audit.self)
        check(ToWorker.Forwards.self)
        check(ToSupervisor.self)
        check(ToSupervisor.Life.self)
        check(ToSupervisor.Files.self)
        check(ToSupervisor.Audit.self)
        check(ToSupervisor.Forwards.self)
        check(ToSupervisor.Patterns.self)
        check(ToFileBroker.self)
        check(FromFileBroker.self)
        check(FileAnswer.self)
        check(ToGate.self)
        check(FromGate.self)
        check(GateRequest.self)
        check(GateAnswer.self)
        check(ConnectFailure.self)
        check(MasterState.self)
        check(MasterDown.self)
        check(LocalFailure.self)
        check(WorkerRole.self)
        check(ForwardOrder.self)
        check(ForwardOutcome.self)
        check(ForwardRefusal.self)
        check(ForwardTrouble.self)
        check(ClientRefusal.self)
        check(ProgramFailure.self)
        check(ProcessEnd.self)
        check(SSHProgramProblem.self)
        check(AuditKey.self)
        check(AuditOutcome.Ending.self)
    }

    @Test func `a path that the kernel would not resolve is refused, and so is a size that no file has`() throws {
        func text(_ count: Int) -> [UInt8] {
            withUnsafeBytes(of: UInt32(count).littleEndian, Array.init)
                + [UInt8](repeating: UInt8(ascii: "/"), count: count)
        }
        let header: [UInt8] = [2, 0, 0, 0, 1, 0, 0, 0]
        for count in [4095, 4096, 32_760] {
            for kind in [1, 2] as [UInt8] {
                let message = try? ToSupervisor.decode((header + [2, kind] + text(count))[...])
                #expect((message != nil) == (count <= 4095))
            }
            let broker = try? ToFileBroker.decode((header + [3] + text(count))[...])
            #expect((broker != nil) == (count <= 4095))
        }
        func size(_ value: UInt64) -> [UInt8] { withUnsafeBytes(of: value.littleEndian, Array.init) }
        #expect((try? FileAnswer.decode((header + [1] + size(UInt64(Int64.max)))[...])) != nil)
        for value in [UInt64(Int64.max) + 1, 1 << 63 + 5, .max] {
            #expect((try? FileAnswer.decode((header + [1] + size(value))[...])) == nil)
        }
    }

    @Test func `the layout is version, three zeros, request id, subject, number, fields, all little-endian`() throws {
        func expect(_ message: some IPCMessage, _ id: UInt32, _ packet: [UInt8]) throws {
            #expect(try message.encoded(requestID: id) == packet)
        }
        try expect(
            ToWorker.life(.drain(milliseconds: 0x0102_0304)), 0xA1B2_C3D4,
            [2, 0, 0, 0, 0xD4, 0xC3, 0xB2, 0xA1, 1, 2, 4, 3, 2, 1])
        try expect(ToWorker.life(.setup(.serve)), 0, [2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0])
        try expect(
            ToWorker.life(.setup(.refuse(.noWorker(.ssh(path: "é", .isNoELF))))), 1,
            [2, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 3, 6, 2, 0, 0, 0, 0xC3, 0xA9, 5])
        try expect(ToWorker.life(.policy), 0, [2, 0, 0, 0, 0, 0, 0, 0, 1, 3])
        try expect(
            FileAnswer.opened(size: 0x0102_0304_0506_0708), 9, [2, 0, 0, 0, 9, 0, 0, 0, 1, 8, 7, 6, 5, 4, 3, 2, 1])
        try expect(
            ToSupervisor.files(.commit(handle: 5, mode: 0o600)), 2, [2, 0, 0, 0, 2, 0, 0, 0, 2, 3, 5, 0, 0, 0, 0x80, 1])
        try expect(ToSupervisor.life(.ready(landlockABI: 6)), 0, [2, 0, 0, 0, 0, 0, 0, 0, 1, 1, 6])
        try expect(
            ToSupervisor.audit(.end(AuditOutcome(rule: "", ending: .timeout, exitCode: -2, bytesIn: 1, bytesOut: 2))),
            0,
            [2, 0, 0, 0, 0, 0, 0, 0, 3, 2, 0, 0, 0, 0, 2, 1, 0xFE, 0xFF, 0xFF, 0xFF] + [1, 0, 0, 0, 0, 0, 0, 0]
                + [2, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test func `the policy and local files travel as descriptors, and nothing else does`() {
        for message in ToWorker.samples {
            switch message {
            case .life(.setup), .life(.policy), .life(.proceed), .files(.broker):
                #expect(message.descriptorCount == 1)
            case .life(.drain), .life(.wait), .life(.refuseClient), .life(.refuseCall), .files(.answered),
                .files(.failed), .files(.brokerEnded), .audit, .forwards:
                #expect(message.descriptorCount == 0)
            }
        }
        for message in ToSupervisor.samples { #expect(message.descriptorCount == 0) }
        #expect(ToSupervisor.maximumDescriptors == 0 && FromFileBroker.maximumDescriptors == 0)
        for message in FromFileBroker.samples { #expect(message.descriptorCount == 0) }
        for message in ToFileBroker.samples {
            #expect(message.descriptorCount == ([.setup, .policy].contains(message) ? 1 : 0))
        }
        for message in ToGate.samples {
            switch message {
            case .setup, .policy, .connected, .forward, .sshConnection: #expect(message.descriptorCount == 1)
            case .notConnected, .noted: #expect(message.descriptorCount == 0)
            }
        }
        #expect(FromGate.maximumDescriptors == 0 && GateRequest.maximumDescriptors == 3)
        #expect(GateAnswer.maximumDescriptors == 0)
        #expect(ListenerMessage.maximumDescriptors == 1 && ListenerMessage.listener.descriptorCount == 1)
        for message in FileAnswer.samples {
            #expect(message.descriptorCount == ([1, 2].contains(message.number) ? 1 : 0))
        }
    }

    @Test(arguments: [0, 1, 3, 255] as [UInt8])
    func `another version is refused`(version: UInt8) throws {
        var packet = try ToWorker.life(.policy).encoded(requestID: 1)
        packet[0] = version
        expect(ToWorker.self, packet, fails: .unknownVersion(version))
        expect(ToSupervisor.self, packet, fails: .unknownVersion(version))
    }

    private func strangers<Message: SampledMessage>(_: Message.Type) {
        for subject in UInt8.min...UInt8.max {
            for number in UInt8.min...UInt8.max where !Message.all.contains([subject, number]) {
                let isSubject = Message.kinds.contains { $0.number == subject }
                expect(
                    Message.self, [2, 0, 0, 0, 0, 0, 0, 0, subject, number],
                    fails: .unknownTag(isSubject ? number : subject))
            }
        }
    }

    @Test func `every number that no message has is refused`() {
        strangers(ToWorker.self)
        strangers(ToSupervisor.self)
    }

    private func truncation<Message: SampledMessage>(_: Message.Type) throws {
        for message in Message.samples {
            let packet = try message.encoded(requestID: 3)
            let lengths =
                packet.count < 200 ? Array(0..<packet.count) : Array(0..<64) + [packet.count / 2, packet.count - 1]
            for length in lengths { expect(Message.self, Array(packet[..<length]), fails: .truncated) }
            expect(Message.self, packet + [0], fails: .trailingBytes(1))
            expect(Message.self, packet + [1, 2, 3], fails: .trailingBytes(3))
        }
    }

    @Test func `a packet to a worker cut at any byte is truncated, a longer one has bytes left over`() throws {
        try truncation(ToWorker.self)
    }

    @Test func `a packet to the supervisor cut at any byte is truncated, a longer one has bytes left over`() throws {
        try truncation(ToSupervisor.self)
    }

    @Test func `a packet of or to a file broker cut at any byte is truncated, a longer one has bytes left over`() throws
    {
        try truncation(ToFileBroker.self)
        try truncation(FromFileBroker.self)
        try truncation(FileAnswer.self)
    }

    @Test func `a packet of or to a gate cut at any byte is truncated, a longer one has bytes left over`() throws {
        try truncation(ToGate.self)
        try truncation(FromGate.self)
        try truncation(GateRequest.self)
        try truncation(GateAnswer.self)
    }

    @Test func `the name of a host is no longer than one of the config`() {
        func packet(_ length: UInt8) -> [UInt8] {
            [2, 0, 0, 0, 0, 0, 0, 0, 1, length, 0, 0, 0] + [UInt8](repeating: 0x61, count: Int(length))
        }
        #expect(decode(GateRequest.self, packet(100)) == .success(.alive(host: String(repeating: "a", count: 100))))
        expect(GateRequest.self, packet(101), fails: .tooLong(101))
    }

    @Test func `texts that are too long are cut, so that they fit a packet`() throws {
        let text = String(repeating: "漢", count: 40_000)
        let failures: [LocalFailure] = [
            .lost(path: text, silent: text), .commitUnknownAfter(.ssh(path: text, .isNoELF), path: text),
        ]
        for failure in failures {
            let packet = try ToWorker.files(.failed(failure)).encoded(requestID: 1)
            #expect(packet.count <= Frame.maximumSize)
            _ = try ToWorker.decode(packet[...])
        }
        let refusal = try FileAnswer.refused(rule: text, reason: text).encoded(requestID: 1)
        #expect(refusal.count <= Frame.maximumSize)
        _ = try FileAnswer.decode(refusal[...])
    }

    @Test func `a value that its field does not have is refused`() {
        func packet(_ fields: [UInt8]) -> [UInt8] { [2, 0, 0, 0, 0, 0, 0, 0] + fields }
        for role in UInt8(4)...UInt8.max { expect(ToWorker.self, packet([1, 1, role]), fails: .unknownTag(role)) }
        expect(ToWorker.self, packet([4, 3, 65]), fails: .tooLong(65))
        expect(ToSupervisor.self, packet([4, 4, 1, 0, 0, 0]), fails: .unknownTag(4))
        let call: [UInt8] = [3, 1, 0, 0, 0, 0, 0, 0, 0, 0]
        expect(ToSupervisor.self, packet(call + [41]), fails: .tooLong(41))
        expect(ToSupervisor.self, packet(call + [1, UInt8(AuditKey.allCases.count)]), fails: .unknownTag(13))
        let command: [UInt8] = [0, 0, 0, 0, 0]
        expect(ToSupervisor.self, packet(call + [2] + command + command), fails: .badValue)
        for kind in [0] + Array(UInt8(18)...UInt8.max) {
            expect(ToWorker.self, packet([2, 3, kind]), fails: .unknownTag(kind))
        }
        // There is an exit code, or there is none.
        expect(ToSupervisor.self, packet([3, 2, 0, 0, 0, 0, 0, 2]), fails: .tooLong(2))
    }

    @Test func `the fullest list of forwards fits a packet`() throws {
        let entry = ForwardEntry(
            forward: 1, host: String(repeating: "h", count: 255), localPort: 1,
            target: .tcp(host: String(repeating: "r", count: 253), port: 1), since: 1,
            trouble: .notCancelled)
        let packet = try ToWorker.forwards(.list(Array(repeating: entry, count: 64))).encoded(requestID: 0)
        #expect(packet.count <= Frame.maximumSize)
        guard case .forwards(.list(let entries)) = try ToWorker.decode(packet[...]).message else {
            Issue.record("another message came back")
            return
        }
        #expect(entries.count == 64)
        #expect(entries.allSatisfy { $0 == entry })
    }

    @Test func `the reserved bytes must be zero`() throws {
        for index in [1, 2, 3] {
            for value in [1, 0x80, 0xFF] as [UInt8] {
                var packet = try ToSupervisor.life(.clientGone).encoded(requestID: 0)
                packet[index] = value
                expect(ToSupervisor.self, packet, fails: .badValue)
            }
        }
    }

    @Test func `a text length over the limit is refused before a byte of the text is looked at`() {
        func header(_ length: UInt32) -> [UInt8] {
            [2, 0, 0, 0, 0, 0, 0, 0, 1, 3] + (0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
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
        expect(ToSupervisor.self, [2, 0, 0, 0, 0, 0, 0, 0, 1, 3, UInt8(text.count), 0, 0, 0] + text, fails: .badValue)
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
            let packet = try ToSupervisor.life(.clientDropped(reason: text)).encoded(requestID: 0)
            guard case .life(.clientDropped(let kept)) = try ToSupervisor.decode(packet[...]).message else {
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
