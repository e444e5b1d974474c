import Glibc
import Testing

@testable import IPC

@Suite("Owned descriptors")
struct OwnedFDTests {
    private static func consume(_ descriptor: consuming OwnedFD) {}

    @Test func `going out of scope closes`() throws {
        let pipe = try TestPipe()
        Self.consume(try pipe.takeWriter())
        #expect(pipe.isAtEnd)
    }

    @Test func `an optional closes when it is emptied or replaced`() throws {
        let first = try TestPipe()
        let second = try TestPipe()
        var slot: OwnedFD? = try first.takeWriter()
        #expect(first.isOpen)
        slot = try second.takeWriter()
        #expect(first.isAtEnd)
        #expect(second.isOpen)
        slot = nil
        #expect(second.isAtEnd)
        _ = slot
    }

    @Test func `release does not close`() throws {
        let pipe = try TestPipe()
        let number = try pipe.takeWriter().release()
        #expect(pipe.isOpen)
        close(number)
        #expect(pipe.isAtEnd)
    }

    @Test func `a descriptor is closed once, not again when its number is somebody else's`() async {
        // In a process of its own, where nothing else takes the number.
        await #expect(processExitsWith: .success) {
            func handOn(_ descriptor: consuming OwnedFD) -> OwnedFD { descriptor }
            let number: Int32 = 200
            let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
            #expect(dup2(null, number) == number)
            do {
                var slot: OwnedFD? = handOn(handOn(OwnedFD(taking: number)))
                if let taken = slot.take() { OwnedFDTests.consume(taken) }
                #expect(fcntl(number, F_GETFD) == -1)
                #expect(dup2(null, number) == number)
                slot = nil
            }
            #expect(fcntl(number, F_GETFD) >= 0, "the new owner's descriptor is open")
            let before = try openDescriptors()
            for _ in 0..<200 { OwnedFDTests.consume(handOn(OwnedFD(taking: dup(null)))) }
            #expect(try openDescriptors() < before + 20)
        }
    }

    @Test func `a duplicate for a child lies above the numbers that it becomes, and lives by itself`() throws {
        let pipe = try TestPipe()
        let writer = try pipe.takeWriter()
        let copy = try writer.duplicateForChild()
        #expect(copy.rawValue >= 16)
        #expect(fcntl(copy.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        Self.consume(writer)
        #expect(pipe.isOpen)
        Self.consume(copy)
        #expect(pipe.isAtEnd)
    }

    @Test func `calls on a number that is not open give the errno`() throws {
        let stale = OwnedFD(taking: -1)
        #expect(throws: IPCError.system(call: "fcntl", errno: EBADF)) { try stale.setNonBlocking() }
        let error: IPCError?
        do throws(IPCError) {
            _ = try stale.duplicateForChild()
            error = nil
        } catch let thrown {
            error = thrown
        }
        #expect(error == .system(call: "fcntl", errno: EBADF))
    }

    @Test func `a pipe is close-on-exec at both ends`() throws {
        let pipe = try TestPipe()
        #expect(fcntl(pipe.reader.rawValue, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(pipe.writerNumber, F_GETFD) & FD_CLOEXEC != 0)
    }
}
