import CLinux
import Glibc
import TestSupport
import Testing

@testable import IPC

/// A socket pair of which one end speaks bytes and not messages, as a hijacked worker can.
struct RawPair: ~Copyable {
    let raw: OwnedFD
    let channel: Channel

    init() throws {
        var ends = try Channel.pair()
        let worker = try taken(&ends.blocking)
        let supervisor = try taken(&ends.nonBlocking)
        raw = worker
        channel = Channel(taking: supervisor)
    }

    /// Sends one packet with any number of descriptors, cmsg(3).
    func send(_ packet: [UInt8], descriptors: [Int32] = []) throws {
        var packet = packet
        // struct cmsghdr: length (8 bytes), level, type; then the descriptors, padded to 8.
        let length = 16 + 4 * descriptors.count
        var control = [UInt8](repeating: 0, count: (length + 7) / 8 * 8)
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
                    return sendmsg(raw.rawValue, &message, Int32(MSG_NOSIGNAL))
                }
            }
        }
        guard sent == packet.count else { throw IPCError.system(call: "sendmsg", errno: errno) }
    }

    /// The error with which the next packet is refused; nil where none is.
    func refusal<Message: IPCMessage>(of _: Message.Type) -> IPCError? {
        do throws(IPCError) {
            _ = try channel.receive(Message.self)
            return nil
        } catch {
            return error
        }
    }
}

/// Takes the next of a message's descriptors, of which one must be left.
func taken(_ descriptors: inout PassedDescriptors) throws -> OwnedFD {
    guard let descriptor = descriptors.take() else { throw IPCError.closed }
    return descriptor
}

/// Takes a descriptor out of where it is, which must not be empty.
func taken(_ slot: inout OwnedFD?) throws -> OwnedFD {
    guard let descriptor = slot.take() else { throw IPCError.closed }
    return descriptor
}

extension Channel {
    /// The next message, which must be there; its descriptors are closed.
    func next<Message: IPCMessage>(_: Message.Type) throws -> (message: Message, requestID: UInt32, descriptors: Int) {
        guard let incoming = try receive(Message.self) else { throw IPCError.truncated }
        return (incoming.message, incoming.requestID, incoming.descriptors.count)
    }
}

/// A pipe whose end of file tells when the last copy of its writing end is closed.
final class TestPipe {
    let reader: OwnedFD
    var writer: OwnedFD?

    init() throws {
        var pipe = try IPC.Pipe()
        reader = try taken(&pipe.readEnd)
        writer = pipe.writeEnd.take()
        try reader.setNonBlocking()
    }

    /// The writing end's number; -1 where it was taken.
    var writerNumber: Int32 {
        switch writer {
        case .some(let owned): owned.rawValue
        case .none: -1
        }
    }

    func takeWriter() throws -> OwnedFD {
        try taken(&writer)
    }

    /// Whether a copy of the writing end is open.
    var isOpen: Bool {
        var byte: UInt8 = 0
        return read(reader.rawValue, &byte, 1) == -1 && errno == EAGAIN
    }

    /// Whether every copy of the writing end is closed. Waits for that.
    var isAtEnd: Bool {
        var byte: UInt8 = 0
        return losesOtherEnd(reader.rawValue) && read(reader.rawValue, &byte, 1) == 0
    }
}

/// How many descriptors this process has open.
func openDescriptors() throws -> Int {
    let directory = try #require(opendir("/proc/self/fd"))
    defer { closedir(directory) }
    var count = 0
    while let entry = readdir(directory) {
        if entry.pointee.d_name.0 != CChar(UInt8(ascii: ".")) { count += 1 }
    }
    // Less the directory itself.
    return count - 1
}

/// A direction whose message has as many descriptors as it says.
struct Passing: IPCMessage {
    static let maximumDescriptors = PassedDescriptors.maximum
    static let kinds = [Passing(descriptorCount: 0)]

    var descriptorCount: Int
    let number: UInt8 = 1

    mutating func walk(_ fields: inout MessageFields) throws(IPCError) {
        var count = UInt8(descriptorCount)
        try fields.field(&count)
        descriptorCount = Int(count)
    }
}
