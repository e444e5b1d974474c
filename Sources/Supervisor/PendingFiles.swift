internal import Glibc
internal import IPC

/// A worker's requests for local files: what is opened is answered with a descriptor, what is new waits here for its name
/// and vanishes with the worker.
final class PendingFiles {
    private struct Reply: ~Copyable {
        let message: ToWorker.Files
        let descriptor: OwnedFD?
    }

    /// A class around a value that cannot be copied, so that a dictionary can hold it.
    private final class Box {
        var file: LocalFiles.Pending?
        init(_ file: consuming LocalFiles.Pending) { self.file = consume file }
    }

    private var files: [UInt32: Box] = [:]
    private var nextHandle: UInt32 = 1

    /// Does what a message asks for with local files, and answers it. `allowed` is what the config says of transfers: the
    /// worker's own judgement does not count here. A file that has a handle was allowed when it was made.
    func answer(
        _ message: ToSupervisor.Files, _ requestID: UInt32, over channel: borrowing Channel, files local: LocalFiles,
        allowed: Bool
    ) throws(IPCError) {
        let reply: Reply?
        do throws(LocalRefusal) {
            reply = try self.reply(to: message, local, allowed: allowed)
        } catch {
            reply = Reply(message: .refused(rule: error.rule, reason: error.sentence), descriptor: nil)
        }
        guard let reply else { return }
        try channel.send(ToWorker.files(reply.message), requestID: requestID, descriptor: reply.descriptor)
    }

    private func reply(to message: ToSupervisor.Files, _ local: LocalFiles, allowed: Bool) throws(LocalRefusal)
        -> Reply?
    {
        switch message {
        case .open(let path):
            try Self.check(allowed)
            let (number, size) = try local.open(path)
            return Reply(message: .opened(size: size), descriptor: OwnedFD(taking: number))
        case .create(let path):
            try Self.check(allowed)
            guard files.count < LocalFiles.maximumPending else {
                throw LocalRefusal(sentence: "\(files.count) downloads are under way; wait for one to end.")
            }
            let pending = try local.create(path)
            let number = fcntl(pending.file.rawValue, F_DUPFD_CLOEXEC, 0)
            guard number >= 0 else { throw LocalRefusal(sentence: "No local file can be opened now (errno \(errno)).") }
            let handle = nextHandle
            nextHandle &+= 1
            files[handle] = Box(pending)
            return Reply(message: .created(handle: handle), descriptor: OwnedFD(taking: number))
        case .commit(let handle):
            guard let file = files.removeValue(forKey: handle)?.file.take() else {
                throw LocalRefusal(sentence: "There is no such download.")
            }
            try local.commit(file)
            return Reply(message: .committed, descriptor: nil)
        case .abandon(let handle):
            files[handle] = nil
            return nil
        }
    }

    private static func check(_ allowed: Bool) throws(LocalRefusal) {
        guard !allowed else { return }
        throw LocalRefusal(
            sentence: "Local files are closed: capabilities.file_write is off for every host.", rule: "capability")
    }
}
