import Glibc
import IPC
import TestSupport
import Testing

@testable import Mux

@Suite struct MasterLinkTests {
    private func sessionLink(_ master: FakeMaster, _ pipes: SessionPipes, command: String = "true", room: Int32? = nil)
        throws -> MasterLink
    {
        try MasterLink(
            taking: try master.takeLinkEnd(room: room), opening: try session(command), with: try pipes.takeDescriptors()
        )
    }

    @Test func `an alive check and another on the same connection`() throws {
        let master = try FakeMaster()
        let link = try MasterLink(taking: try master.takeLinkEnd(), asking: .alive)
        #expect(link.wants == .toReadAndWrite)
        #expect(link.writable() == [])
        #expect(link.wants == .toRead)
        #expect(try master.message() == .fields(1, 4))
        try master.say(.hello(version: 4))
        #expect(link.readable() == [])
        #expect(try master.message() == .fields(0x1000_0004, 1))
        try master.say(.alive(request: 1, masterPID: 4711))
        #expect(link.readable() == [.alive(masterPID: 4711)])
        #expect(link.ask(.alive))
        #expect(!link.ask(.alive))
        #expect(link.wants == .toReadAndWrite)
        #expect(link.writable() == [])
        #expect(try master.message() == .fields(0x1000_0004, 2))
        master.close()
        #expect(link.readable() == [.failed(.lost(errno: 0), .unknown)])
        #expect(link.wants == .nothing && link.rawValue == nil)
        #expect(link.readable() == [] && link.writable() == [] && link.timedOut() == [])
    }

    @Test func `a session's descriptors come one by one behind its request, and only the master has them then`() throws
    {
        let master = try FakeMaster()
        let pipes = try SessionPipes()
        let link = try sessionLink(master, pipes)
        #expect(link.writable() == [])
        _ = try master.message()
        // Before the master has said who it is, it gets nothing.
        #expect(link.wants == .toRead)
        try master.say(.hello(version: 4))
        #expect(link.readable() == [])
        #expect(try SSHRequest.decode(master.message()[...]) == .newSession(request: 1, session("true")))
        let input = try master.descriptor()
        let output = try master.descriptor()
        _ = try master.descriptor()
        pipes.feed(7)
        var byte: UInt8 = 0
        #expect(read(input.rawValue, &byte, 1) == 1 && byte == 7)
        #expect(write(output.rawValue, &byte, 1) == 1)
        #expect(pipes.outputByte() == 7)
        #expect(pipes.outputByte() == nil)
        _ = consume output
        #expect(pipes.isOutputClosed && pipes.outputByte() == nil)
        _ = consume input
        #expect(pipes.isInputClosed)
        try master.say(.sessionOpened(request: 1, session: 2), .exitMessage(session: 2, status: 9))
        #expect(link.readable() == [.sessionOpened, .sessionExited(status: 9)])
        master.close()
        #expect(link.readable() == [.sessionEnded(status: 9)])
    }

    @Test func `a long command goes out in parts as there is room, and the descriptors behind all of it`() throws {
        let master = try FakeMaster()
        let pipes = try SessionPipes()
        let command = String(repeating: "x", count: MuxSession.maximumCommand)
        let link = try sessionLink(master, pipes, command: command, room: 4096)
        _ = link.writable()
        _ = try master.message()
        try master.say(.hello(version: 4))
        #expect(link.readable() == [])
        #expect(link.wants == .toReadAndWrite)
        var message = try master.bytes(4).bytes
        let length = message.reduce(0) { $0 << 8 | Int($1) }
        message = []
        while message.count < length {
            let part = try master.bytes(min(1000, length - message.count))
            #expect(part.descriptor == -1)
            message += part.bytes
            #expect(link.writable() == [])
        }
        #expect(try SSHRequest.decode(message[...]) == .newSession(request: 1, session(command)))
        for _ in 0..<3 {
            _ = try master.descriptor()
            _ = link.writable()
        }
        #expect(link.wants == .toRead)
    }

    @Test func `a master that leaves while it is sent to has its last words heard`() throws {
        let master = try FakeMaster()
        let pipes = try SessionPipes()
        let link = try sessionLink(
            master, pipes, command: String(repeating: "x", count: MuxSession.maximumCommand), room: 4096)
        _ = link.writable()
        try master.say(.hello(version: 4))
        #expect(link.readable() == [])
        try master.say(.failure(request: 1, reason: "did not receive file descriptors"))
        master.close()
        #expect(link.writable() == [])
        #expect(link.wants == .toRead)
        // The descriptors are not kept for nobody.
        #expect(pipes.isInputClosed)
        guard case .refused(let refusal) = link.readable().first else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.reason == "did not receive file descriptors" && !refusal.isByHost)
        #expect(link.wants == .nothing)
    }

    @Test func `whatever breaks the protocol ends the connection and closes its descriptors`() throws {
        let hostile: [(bytes: [UInt8], MuxViolation)] = [
            (.fields(.max), .tooLong(.max)), (.fields(UInt32(MuxProtocol.maximumReply) + 1), .tooLong(16_385)),
            (.fields(0), .truncated), (Array("HTTP/1.1 400 Bad Request\r\n".utf8), .tooLong(0x4854_5450)),
            (MuxReply.alive(request: 1, masterPID: 2).encoded(), .outOfTurn(.alive)),
            (.fields(4, 0x8000_0099), .unknownType(0x8000_0099)), (.fields(6, 1, 4), .truncated),
        ]
        for (bytes, expected) in hostile {
            let master = try FakeMaster()
            let pipes = try SessionPipes()
            let link = try sessionLink(master, pipes)
            _ = link.writable()
            try master.send(bytes)
            if expected == .truncated { try master.send([0, 0]) }
            #expect(link.readable() == [.failed(.violation(expected), .nothingAsked)], "\(bytes)")
            #expect(link.wants == .nothing)
            #expect(pipes.isInputClosed && pipes.isOutputClosed)
        }
    }

    @Test func `a flood of surplus replies is not read`() throws {
        let master = try FakeMaster()
        let link = try MasterLink(taking: try master.takeLinkEnd(), asking: .alive)
        try master.say(.hello(version: 4))
        _ = link.writable()
        #expect(link.readable() == [])
        let answer = MuxReply.alive(request: 1, masterPID: 2)
        try master.send(Array([[UInt8]](repeating: answer.encoded(), count: 1000).joined()))
        #expect(link.readable() == [.alive(masterPID: 2), .failed(.violation(.outOfTurn(.alive)), .nothingAsked)])
        #expect(link.wants == .nothing)
    }

    @Test func `a master that never answers costs its bound and no more`() throws {
        for helloComes in [false, true] {
            let master = try FakeMaster()
            let link = try MasterLink(taking: try master.takeLinkEnd(), asking: .alive)
            _ = link.writable()
            if helloComes {
                try master.say(.hello(version: 4))
                #expect(link.readable() == [])
            }
            // Half an answer is none.
            try master.send([0, 0, 0])
            #expect(link.readable() == [])
            #expect(link.waiting == .forMaster)
            #expect(link.timedOut() == [.failed(.silent, helloComes ? .unknown : .nothingAsked)])
            #expect(link.wants == .nothing)
        }
    }

    @Test(arguments: 0..<3) func `only pipes are passed, and whatever was given is closed`(wrong: Int) throws {
        for isSocket in [false, true] {
            let master = try FakeMaster()
            let stranger = isSocket ? try master.takeLinkEnd().release() : open("/dev/null", O_RDWR | O_CLOEXEC)
            let pipes = try SessionPipes()
            var numbers = pipes.takeNumbers()
            close(numbers[wrong])
            numbers[wrong] = stranger
            let given = numbers
            #expect(throws: SessionDescriptors.NotAPipe(number: wrong)) {
                _ = try SessionDescriptors(
                    input: OwnedFD(taking: given[0]), output: OwnedFD(taking: given[1]),
                    error: OwnedFD(taking: given[2]))
            }
            #expect(pipes.isInputClosed && pipes.isOutputClosed)
        }
    }

    @Test func `a master that leaves before it has the descriptors has opened nothing`() throws {
        let master = try FakeMaster()
        let pipes = try SessionPipes()
        let link = try sessionLink(
            master, pipes, command: String(repeating: "x", count: MuxSession.maximumCommand), room: 4096)
        _ = link.writable()
        try master.say(.hello(version: 4))
        #expect(link.readable() == [])
        #expect(link.waiting == .forMaster)
        _ = try master.bytes(1000)
        master.close()
        guard case .failed(.lost, .nothingAsked) = link.readable().first else {
            Issue.record("not lost")
            return
        }
        #expect(link.wants == .nothing)
    }
}
