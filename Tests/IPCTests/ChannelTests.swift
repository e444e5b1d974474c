import CLinux
import Glibc
import TestSupport
import Testing

@testable import IPC

@Suite("IPC channel")
struct ChannelTests {
    @Test func `a message with its request id crosses in both directions`() throws {
        var ends = try Channel.pair()
        let supervisor = Channel(taking: try taken(&ends.nonBlocking))
        let worker = Channel(taking: try taken(&ends.blocking))
        try supervisor.send(ToWorker.life(.drain(milliseconds: 4500)), requestID: 9)
        let down = try worker.next(ToWorker.self)
        #expect(down.message == .life(.drain(milliseconds: 4500)))
        #expect(down.requestID == 9)
        #expect(down.descriptors == 0)
        try worker.send(ToSupervisor.life(.ready(landlockABI: 6)), requestID: .max)
        try worker.send(ToSupervisor.life(.clientGone))
        let first = try supervisor.next(ToSupervisor.self)
        #expect(first.message == .life(.ready(landlockABI: 6)))
        #expect(first.requestID == .max)
        // One message a packet: two sends are never read as one.
        #expect(try supervisor.next(ToSupervisor.self).message == .life(.clientGone))
    }

    @Test func `the supervisor's end does not block, the worker's does, both are close-on-exec`() throws {
        var ends = try Channel.pair()
        let supervisor = try taken(&ends.nonBlocking)
        let worker = try taken(&ends.blocking)
        #expect(fcntl(supervisor.rawValue, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(worker.rawValue, F_GETFL) & O_NONBLOCK == 0)
        #expect(fcntl(supervisor.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(worker.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        let channel = Channel(taking: supervisor)
        switch try channel.receive(ToSupervisor.self) {
        case .none: break
        case .some(let incoming): Issue.record("\(incoming.message) came from nowhere")
        }
    }

    @Test func `a descriptor arrives open, close-on-exec and as another number`() throws {
        let pair = try RawPair()
        let receiver = Channel(taking: try pair.raw.duplicateForChild())
        let pipe = try TestPipe()
        try pair.channel.send(ToWorker.life(.policy), descriptor: pipe.writer)
        guard var incoming = try receiver.receive(ToWorker.self) else { throw IPCError.closed }
        let passed = try taken(&incoming.descriptors)
        #expect(passed.rawValue != pipe.writerNumber)
        #expect(fcntl(passed.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        var byte: UInt8 = 0x5A
        #expect(write(passed.rawValue, &byte, 1) == 1)
        byte = 0
        #expect(read(pipe.reader.rawValue, &byte, 1) == 1)
        #expect(byte == 0x5A)
    }

    @Test func `a dropped message closes the descriptor that came with it`() throws {
        let pair = try RawPair()
        let receiver = Channel(taking: try pair.raw.duplicateForChild())
        let pipe = try TestPipe()
        try pair.channel.send(ToWorker.life(.policy), descriptor: pipe.writer)
        pipe.writer = nil
        #expect(pipe.isOpen, "the copy in flight keeps the pipe open")
        #expect(try receiver.next(ToWorker.self).descriptors == 1)
        #expect(pipe.isAtEnd)
    }

    @Test func `sending without the descriptor that belongs, or with one that does not, is refused here`() throws {
        let pair = try RawPair()
        let pipe = try TestPipe()
        #expect(throws: IPCError.missingDescriptor) { try pair.channel.send(ToWorker.life(.policy)) }
        #expect(throws: IPCError.missingDescriptor) { try pair.channel.send(ToWorker.life(.setup(.serve))) }
        #expect(throws: IPCError.surplusDescriptor) {
            try pair.channel.send(ToWorker.life(.drain(milliseconds: 1)), descriptor: pipe.reader.duplicateForChild())
        }
        // Nothing of it went out.
        var byte: UInt8 = 0
        #expect(recv(pair.raw.rawValue, &byte, 1, Int32(MSG_DONTWAIT)) == -1)
        #expect(errno == EAGAIN)
    }

    @Test func `a packet without the descriptor that belongs is refused`() throws {
        let pair = try RawPair()
        try pair.send(ToWorker.life(.policy).encoded(requestID: 0))
        #expect(pair.refusal(of: ToWorker.self) == .missingDescriptor)
    }

    @Test func `a descriptor that no message of the worker may carry is refused and closed`() throws {
        let pair = try RawPair()
        let pipe = try TestPipe()
        try pair.send(ToSupervisor.life(.clientGone).encoded(requestID: 0), descriptors: [pipe.writerNumber])
        pipe.writer = nil
        #expect(pair.refusal(of: ToSupervisor.self) == .controlTruncated)
        #expect(pipe.isAtEnd)
    }

    @Test func `where the kernel knows how, a descriptor that is not taken cannot even be sent`() throws {
        let pair = try RawPair()
        guard csd_refuse_descriptors(pair.channel.rawValue) == 0 else { return }
        let pipe = try TestPipe()
        let packet = try ToSupervisor.life(.clientGone).encoded(requestID: 0)
        #expect(throws: IPCError.system(call: "sendmsg", errno: EPERM)) {
            try pair.send(packet, descriptors: [pipe.writerNumber])
        }
        try pair.send(packet)
        #expect(try pair.channel.next(ToSupervisor.self).message == .life(.clientGone))
    }

    @Test func `a side that only speaks is not spoken to`() throws {
        let pair = try RawPair()
        pair.channel.refuseMessages()
        #expect(throws: IPCError.system(call: "sendmsg", errno: EPIPE)) {
            try pair.send(ToSupervisor.life(.clientGone).encoded(requestID: 0))
        }
        try pair.channel.send(ToWorker.life(.drain(milliseconds: 1)))
        var byte: UInt8 = 0
        #expect(recv(pair.raw.rawValue, &byte, 1, 0) == 1)
    }

    @Test(arguments: 0...6, 0...3)
    func `every number of descriptors but the message's own is refused, and all of them are closed`(
        sent: Int, wanted: Int
    ) throws {
        let pair = try RawPair()
        let pipe = try TestPipe()
        let packet = try Passing(descriptorCount: wanted).encoded(requestID: 1)
        try pair.send(packet, descriptors: Array(repeating: pipe.writerNumber, count: sent))
        pipe.writer = nil
        let refusal = pair.refusal(of: Passing.self)
        switch sent {
        case wanted: #expect(refusal == nil)
        case ..<wanted: #expect(refusal == .missingDescriptor)
        // There is room for one more than a message may have: what is beyond that is cut off by the kernel.
        case ...4: #expect(refusal == .surplusDescriptor)
        default: #expect(refusal == .controlTruncated)
        }
        #expect(pipe.isAtEnd)
    }

    @Test func `three descriptors arrive in their order, each open and close-on-exec`() throws {
        let pair = try RawPair()
        let receiver = Channel(taking: try pair.raw.duplicateForChild())
        let pipes = [try TestPipe(), try TestPipe(), try TestPipe()]
        let three = PassedDescriptors(
            try pipes[0].takeWriter(), try pipes[1].takeWriter(), try pipes[2].takeWriter())
        try pair.channel.send(Passing(descriptorCount: 3), requestID: 7, descriptors: three)
        guard var incoming = try receiver.receive(Passing.self) else { throw IPCError.closed }
        #expect(incoming.requestID == 7 && incoming.descriptors.count == 3)
        for (index, pipe) in pipes.enumerated() {
            let passed = try taken(&incoming.descriptors)
            #expect(fcntl(passed.rawValue, F_GETFD) & FD_CLOEXEC != 0)
            var byte = UInt8(index)
            #expect(write(passed.rawValue, &byte, 1) == 1)
            byte = 0xFF
            #expect(read(pipe.reader.rawValue, &byte, 1) == 1)
            #expect(byte == UInt8(index))
        }
        #expect(incoming.descriptors.count == 0)
    }

    @Test(arguments: [0, 1, 2, 4, 255])
    func `what is sent with another number of descriptors than the message's is refused here`(wanted: Int) throws {
        let pair = try RawPair()
        let pipe = try TestPipe()
        let three = PassedDescriptors(
            try pipe.reader.duplicateForChild(), try pipe.reader.duplicateForChild(),
            try pipe.reader.duplicateForChild())
        #expect(throws: wanted < 3 ? IPCError.surplusDescriptor : .missingDescriptor) {
            try pair.channel.send(Passing(descriptorCount: wanted), requestID: 0, descriptors: three)
        }
        var byte: UInt8 = 0
        #expect(recv(pair.raw.rawValue, &byte, 1, Int32(MSG_DONTWAIT)) == -1)
        #expect(errno == EAGAIN)
    }

    @Test(arguments: [1, 2, 3, 4] as [UInt64])
    func `random packets with any number of descriptors are taken whole or refused, and nothing stays open`(
        seed: UInt64
    ) throws {
        var generator = SeededGenerator(seed: seed)
        let pair = try RawPair()
        let pipe = try TestPipe()
        var taken = 0
        for _ in 0..<2000 {
            let wanted = Int(generator.next() & 3)
            let sent = generator.next() & 3 == 0 ? Int(generator.next() % 7) : wanted
            var packet = try Passing(descriptorCount: wanted).encoded(
                requestID: UInt32(truncatingIfNeeded: generator.next()))
            let noise = generator.next()
            switch noise & 7 {
            case 0: packet[Int(noise >> 8) % packet.count] = UInt8(truncatingIfNeeded: noise >> 40)
            case 1: packet.removeLast(Int(noise >> 8) % packet.count)
            case 2: packet += [UInt8](repeating: 0, count: Int(noise >> 8 & 15))
            default: break
            }
            try pair.send(packet, descriptors: Array(repeating: pipe.writerNumber, count: sent))
            let message = try? Passing.decode(packet[...]).message
            let refusal = pair.refusal(of: Passing.self)
            #expect(
                (refusal == nil) == (message?.descriptorCount == sent),
                "\(packet) with \(sent): \(String(describing: refusal))")
            if refusal == nil { taken += 1 }
        }
        #expect(taken > 500)
        pipe.writer = nil
        #expect(pipe.isAtEnd)
    }

    @Test func `a packet that cannot be read closes its descriptor`() throws {
        let pair = try RawPair()
        let pipe = try TestPipe()
        try pair.send([9, 9, 9, 9, 9, 9, 9, 9], descriptors: [pipe.writerNumber])
        pipe.writer = nil
        #expect(pair.refusal(of: ToWorker.self) == .unknownVersion(9))
        #expect(pipe.isAtEnd)
    }

    @Test func `a packet over the limit is refused as too long, not read in part`() throws {
        let pair = try RawPair()
        let good = try ToSupervisor.life(.clientGone).encoded(requestID: 0)
        for surplus in [1, 5000] {
            let packet = good + [UInt8](repeating: 0, count: Frame.maximumSize + surplus - good.count)
            try pair.send(packet)
            #expect(pair.refusal(of: ToSupervisor.self) == .tooLong(Frame.maximumSize + 1))
        }
        try pair.send(good + [UInt8](repeating: 0, count: Frame.maximumSize - good.count))
        #expect(pair.refusal(of: ToSupervisor.self) == .trailingBytes(Frame.maximumSize - good.count))
        // The channel itself is not out of step.
        try pair.send(good)
        #expect(try pair.channel.next(ToSupervisor.self).message == .life(.clientGone))
    }

    @Test func `what was sent before the close is read, then the channel is closed`() throws {
        let pair = try RawPair()
        try pair.send(ToSupervisor.life(.clientGone).encoded(requestID: 0))
        #expect(shutdown(pair.raw.rawValue, Int32(SHUT_RDWR)) == 0)
        #expect(try pair.channel.next(ToSupervisor.self).message == .life(.clientGone))
        #expect(pair.refusal(of: ToSupervisor.self) == .closed)
        #expect(pair.refusal(of: ToSupervisor.self) == .closed)
    }

    @Test func `sending to a closed channel says so and raises no SIGPIPE`() throws {
        var ends = try Channel.pair()
        let channel = Channel(taking: try taken(&ends.nonBlocking))
        ends.blocking = nil
        #expect(losesOtherEnd(channel.rawValue))
        #expect(throws: IPCError.closed) { try channel.send(ToWorker.life(.drain(milliseconds: 1))) }
    }

    @Test func `a worker that has stopped reading is an error for the supervisor, and no wait`() throws {
        let pair = try RawPair()
        let error = #expect(throws: IPCError.self) {
            for _ in 0..<100_000 { try pair.channel.send(ToWorker.life(.drain(milliseconds: 1))) }
        }
        #expect(error == .system(call: "sendmsg", errno: EAGAIN))
    }

    @Test func `nothing that can arrive leaks a descriptor`() async {
        // In a process of its own, where nothing else opens any.
        await #expect(processExitsWith: .success) {
            let pair = try RawPair()
            let pipe = try TestPipe()
            let setup = try ToWorker.life(.setup(.serve)).encoded(requestID: 0)
            func allKinds() throws {
                for descriptors in 0...6 {
                    for packet in [
                        setup, Array(setup.dropLast()), setup + [0], [0], [UInt8](repeating: 1, count: 70_000),
                    ] {
                        try pair.send(packet, descriptors: Array(repeating: pipe.writerNumber, count: descriptors))
                        _ = pair.refusal(of: ToWorker.self)
                        try pair.send(
                            Passing(descriptorCount: 3).encoded(requestID: 0),
                            descriptors: Array(repeating: pipe.writerNumber, count: descriptors))
                        _ = pair.refusal(of: Passing.self)
                    }
                }
            }
            try allKinds()
            let before = try openDescriptors()
            for _ in 0..<20 { try allKinds() }
            // One leak a round would be 20; the test library opens one or two of its own.
            #expect(try openDescriptors() < before + 10)
            pipe.writer = nil
            #expect(pipe.isAtEnd)
        }
    }
}
