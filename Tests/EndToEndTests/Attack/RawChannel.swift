import CLinux
import Foundation
import Glibc
import IPC
import TestSupport
import Testing

/// An end of a channel between two of the processes, over which a test says whatever it likes.
final class RawChannel {
    /// How long a packet may take that has to come.
    private static let patience: Int32 = 30_000

    private var number: Int32

    init(taking number: Int32) {
        self.number = number
        // A packet that nobody takes fails the row instead of stopping the tests.
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    func close() {
        if number >= 0 { Glibc.close(number) }
        number = -1
    }

    var isClosed: Bool { number < 0 }

    /// Sends one packet with any number of descriptors, cmsg(3).
    /// - Returns: 0, or the errno of sendmsg(2).
    @discardableResult
    func send(_ packet: [UInt8], _ descriptors: [Int32] = [], flags: Int32 = 0) -> Int32 {
        var packet = packet
        // struct cmsghdr: length (8 bytes), level, type; then the descriptors, padded to 8.
        let length = 16 + 4 * descriptors.count
        var control = [UInt64](repeating: 0, count: (length + 7) / 8)
        control.withUnsafeMutableBytes { bytes in
            bytes.storeBytes(of: length, toByteOffset: 0, as: Int.self)
            bytes.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
            bytes.storeBytes(of: Int32(SCM_RIGHTS), toByteOffset: 12, as: Int32.self)
            for (index, number) in descriptors.enumerated() {
                bytes.storeBytes(of: number, toByteOffset: 16 + 4 * index, as: Int32.self)
            }
        }
        let sent = packet.withUnsafeMutableBytes { bytes in
            control.withUnsafeMutableBytes { control in
                var part = iovec(iov_base: bytes.baseAddress, iov_len: bytes.count)
                return withUnsafeMutablePointer(to: &part) { part in
                    var message = msghdr()
                    message.msg_iov = part
                    message.msg_iovlen = 1
                    if !descriptors.isEmpty {
                        message.msg_control = control.baseAddress
                        message.msg_controllen = control.count
                    }
                    return sendmsg(number, &message, Int32(MSG_NOSIGNAL) | flags)
                }
            }
        }
        return sent == packet.count ? 0 : errno
    }

    @discardableResult
    func say(_ message: some IPCMessage, _ requestID: UInt32 = 0, _ descriptors: [Int32] = []) throws -> Int32 {
        send(try message.encoded(requestID: requestID), descriptors)
    }

    /// The next packet and its descriptors; nil at the end of the conversation.
    func receive() throws -> (packet: [UInt8], descriptors: [Int32])? {
        guard waits(Self.patience) else { throw HarnessError("no packet comes") }
        var packet = [UInt8](repeating: 0, count: Frame.maximumSize + 1)
        var numbers = [Int32](repeating: -1, count: Int(CSD_RECEIVED_DESCRIPTORS))
        var (received, flags) = (0, Int32(0))
        let count = csd_receive_message(number, &packet, packet.count, &numbers, &received, &flags)
        return count > 0 ? (Array(packet[..<count]), Array(numbers[..<received])) : nil
    }

    /// Whether there is something to receive within this time.
    func waits(_ milliseconds: Int32) -> Bool {
        var waiting = pollfd(fd: number, events: Int16(POLLIN), revents: 0)
        return poll(&waiting, 1, milliseconds) > 0
    }

    /// The next message for which `find` has a value; nil at the end. Descriptors of others are closed.
    func hear<Message: IPCMessage, Value>(
        _: Message.Type, _ find: (Message, UInt32, [Int32]) throws -> Value?
    ) throws -> Value? {
        while let (packet, descriptors) = try receive() {
            let (message, requestID) = try Message.decode(packet[...])
            if let value = try find(message, requestID, descriptors) { return value }
            for descriptor in descriptors { Glibc.close(descriptor) }
        }
        return nil
    }
}
