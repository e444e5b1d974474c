internal import CLinux
internal import Glibc
internal import IPC

/// Makes the system calls on a connection to a master. None of them blocks. Only this type handles EINTR.
struct StreamSocket: ~Copyable {
    enum Received: Equatable {
        case bytes([UInt8])
        /// No bytes are there now.
        case nothing
        /// The other side has closed the connection.
        case closed
        case failed(errno: Int32)
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
        let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
            result = Self.uninterrupted { recv(descriptor.rawValue, buffer.baseAddress, most, 0) }
            count = max(result, 0)
        }
        switch result {
        case 0: return .closed
        case 1...: return .bytes(bytes)
        case -Int(EAGAIN): return .nothing
        default: return .failed(errno: Int32(-result))
        }
    }

    /// Sends as many bytes as there is room for, sendmsg(2), with a descriptor unless `passed` is -1.
    func send(_ bytes: ArraySlice<UInt8>, descriptor passed: Int32 = -1) -> Sent {
        let result = bytes.withUnsafeBytes { buffer in
            Self.uninterrupted { csd_send_message(descriptor.rawValue, buffer.baseAddress, buffer.count, passed) }
        }
        switch result {
        case 0...: return .count(result)
        case -Int(EAGAIN): return .full
        case -Int(EPIPE), -Int(ECONNRESET): return .closed
        default: return .failed(errno: Int32(-result))
        }
    }

    /// Repeats the call while it is interrupted. Returns its result, or the negative of its errno.
    private static func uninterrupted(_ call: () -> Int) -> Int {
        while true {
            let result = call()
            if result >= 0 { return result }
            if errno != EINTR { return -Int(errno) }
        }
    }
}
