internal import CLinux
internal import Glibc
internal import IPC

/// Makes the system calls on a connection to a master. None of them blocks.
struct StreamSocket: ~Copyable {
    enum Received: Equatable {
        case bytes([UInt8])
        /// No bytes are there now.
        case nothing
        /// The other side has closed the connection.
        case closed
        case failed(errno: Int32)
    }

    /// What was received with the descriptors that came with it.
    enum Passed: ~Copyable {
        case bytes([UInt8], PassedDescriptors)
        /// No bytes are there now.
        case nothing
        /// The other side has closed the connection, or a system call failed.
        case over
    }

    enum Sent: Equatable {
        case count(Int)
        /// There is no room now.
        case full
        /// The other side reads nothing any more. What it sent before can still be read.
        case closed
        case failed(errno: Int32)
    }

    private let descriptor: OwnedFD

    init(taking descriptor: consuming OwnedFD) throws(IPCError) {
        try descriptor.setNonBlocking()
        self.descriptor = descriptor
    }

    var rawValue: Int32 { descriptor.rawValue }

    /// Reads at most `most` bytes, recv(2). The kernel closes descriptors that come with them.
    func receive(upTo most: Int) -> Received {
        var result = 0
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            result = uninterrupted { recv(descriptor.rawValue, buffer.baseAddress, most, 0) }
            code = errno
            count = max(result, 0)
        }
        if result == 0 { return .closed }
        if result > 0 { return .bytes(bytes) }
        return code == EAGAIN ? .nothing : .failed(errno: code)
    }

    /// Reads at most `most` bytes, and takes descriptors that come with them, recvmsg(2).
    func receivePassing(upTo most: Int) -> Passed {
        var numbers = [Int32](repeating: -1, count: Int(CSD_RECEIVED_DESCRIPTORS))
        var received = 0
        var flags: Int32 = 0
        var result = 0
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            result = uninterrupted {
                csd_receive_message(descriptor.rawValue, buffer.baseAddress, most, &numbers, &received, &flags)
            }
            code = errno
            count = max(result, 0)
        }
        let passed = PassedDescriptors(taking: numbers[..<received])
        if result > 0 { return .bytes(bytes, passed) }
        return result < 0 && code == EAGAIN ? .nothing : .over
    }

    /// Sends as many bytes as there is room for, sendmsg(2), with a descriptor where there is one to pass.
    func send(_ bytes: ArraySlice<UInt8>, descriptor passed: Int32? = nil) -> Sent {
        let numbers = passed.map { [$0] } ?? []
        let result = bytes.withUnsafeBytes { buffer in
            uninterrupted {
                csd_send_message(descriptor.rawValue, buffer.baseAddress, buffer.count, numbers, numbers.count)
            }
        }
        guard result < 0 else { return .count(result) }
        switch errno {
        case EAGAIN: return .full
        case EPIPE, ECONNRESET: return .closed
        case let code: return .failed(errno: code)
        }
    }
}
