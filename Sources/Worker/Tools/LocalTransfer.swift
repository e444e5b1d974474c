internal import CLinux
internal import Glibc
internal import IPC
internal import SFTP
internal import Threads

/// The local side of a transfer. It works on descriptors from a file broker.
enum LocalTransfer {
    static let arguments = ["local_path", "remote_path", "remote_path_base64", "host", "sha256"]
    static let checksum = Schema.boolean("Verify")

    /// The argument `local_path`. The file broker judges which files it may name.
    static func path(_ arguments: Arguments) throws(Arguments.Mistake) -> String {
        let path = try arguments.requiredString("local_path")
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw Arguments.Mistake(
                sentence: "Argument \"local_path\" must be an absolute path, not \"\(path.prefix(200))\".")
        }
        guard path.utf8.count <= Frame.maximumPath else {
            throw Arguments.Mistake(
                sentence:
                    "Argument \"local_path\" is \(path.utf8.count) bytes long; paths have at most \(Frame.maximumPath)."
            )
        }
        return path
    }

    /// How many bytes an upload moves: those that are sent and, if it is verified, those that are read back.
    static func work(_ size: UInt64, verifies: Bool) -> Int64 {
        let (twice, overflow) = size.multipliedReportingOverflow(by: 2)
        return verifies ? (overflow ? .max : Int64(clamping: twice)) : Int64(clamping: size)
    }

    private static var reason: String { String(cString: strerror(errno)) }

    /// How long work on a piece of a file may take once it has begun. A disk that answers takes some seconds at most.
    private static let patience = Duration.seconds(20)
    /// How long the flush at the end of a file may take.
    private static let flushing = Duration.seconds(600)

    /// Works on a file on another thread, because its disk may be slow or hang. Cancelling the task ends the wait.
    private static func onDisk<Result: Sendable, Failure>(
        cancelled: Failure, late: Failure, crowded: Failure, within limit: Duration = patience,
        _ work: @escaping @Sendable () throws(Failure) -> Result
    ) async throws(Failure) -> Result {
        let result: Swift.Result<Result, Failure>
        do throws(Apart.Interruption) {
            result = try await Apart.disks.run(within: limit) { Swift.Result { () throws(Failure) in try work() } }
        } catch {
            switch error {
            case .cancelled: throw cancelled
            case .late: throw late
            case .crowded: throw crowded
            }
        }
        return try result.get()
    }

    /// The same for a piece of the file at this path, during a transfer.
    private static func onDisk<Result: Sendable>(
        _ path: String, within limit: Duration = patience,
        _ work: @escaping @Sendable () throws(SFTPError) -> Result
    ) async throws(SFTPError) -> Result {
        try await onDisk(
            cancelled: .cancelled, late: .local(detail: silent(path)), crowded: .local(detail: crowded(path)),
            within: limit, work)
    }

    /// The file system of a local file does not answer.
    private static func silent(_ path: String) -> String {
        "The file system of \(FileFailures.shown(path)) does not answer any more; the transfer was given up. "
            + LocalFailures.lookAtMount
    }

    /// The file system of a local file was not asked, because other files hold the threads for that.
    private static func crowded(_ path: String) -> String {
        "The transfer was given up before \(FileFailures.shown(path)) was touched again: earlier transfers of this connection "
            + "still wait for file systems that do not answer, and as many as may. Try again when they answer, or in a new "
            + "connection."
    }

    /// The file that is uploaded. If it changes meanwhile, the upload fails.
    struct Source: Sendable {
        private let file: DiskFD
        private let path: String
        private let size: UInt64
        private let before: stat

        init(_ file: DiskFD, _ path: String, size: UInt64) async throws(FileFailure) {
            self.file = file
            self.path = path
            self.size = size
            before = try await LocalTransfer.onDisk(
                cancelled: FileFailure(sentence: "The call was cancelled."),
                late: FileFailure(sentence: LocalTransfer.silent(path)),
                crowded: FileFailure(sentence: LocalTransfer.crowded(path))
            ) {
                () throws(FileFailure) in
                var status = stat()
                guard csd_file_status(file.rawValue, &status) == 0 else {
                    throw FileFailure(sentence: "The local file \(path) cannot be read: \(LocalTransfer.reason).")
                }
                return status
            }
        }

        /// Its permission bits.
        var permissions: UInt32 { before.st_mode & 0o777 }

        /// The bytes at an offset; none at the end.
        @Sendable func read(_ offset: UInt64, _ most: Int) async throws(SFTPError) -> ArraySlice<UInt8> {
            try await LocalTransfer.onDisk(path) { () throws(SFTPError) in
                try bytes(at: offset, most)
            }
        }

        private func bytes(at offset: UInt64, _ most: Int) throws(SFTPError) -> ArraySlice<UInt8> {
            var failed = false
            let bytes = [UInt8](unsafeUninitializedCapacity: most) { buffer, count in
                while count < most {
                    let read = uninterrupted {
                        pread(
                            file.rawValue, buffer.baseAddress.map { $0 + count }, most - count,
                            off_t(clamping: offset + UInt64(count)))
                    }
                    failed = read < 0
                    if read <= 0 { break }
                    count += read
                }
            }
            guard !failed else {
                throw .local(detail: "The local file \(path) cannot be read: \(LocalTransfer.reason).")
            }
            let count = bytes.count
            let end = offset + UInt64(count)
            // Bytes that were added are not sent: a file that grows as fast as it is sent would never end.
            guard count == 0 ? offset >= size && isUnchanged : end <= size else {
                throw .local(
                    detail: "The local file \(path) changed during the upload. "
                        + "Upload it again when nothing writes to it.")
            }
            return bytes[...]
        }

        private var isUnchanged: Bool {
            var now = stat()
            return csd_file_status(file.rawValue, &now) == 0 && now.st_size == before.st_size && now.st_size == size
                && now.st_mtim.tv_sec == before.st_mtim.tv_sec && now.st_mtim.tv_nsec == before.st_mtim.tv_nsec
        }
    }

    /// The file that a download is written to, in order.
    struct Sink: Sendable {
        private let file: DiskFD
        private let path: String

        init(_ file: DiskFD, _ path: String) {
            self.file = file
            self.path = path
        }

        /// Throws if the file system says that it has no room for `size` bytes. Others may still fill the disk meanwhile.
        func admit(_ size: UInt64, from call: FileCall) async throws(SFTPError) {
            let space = try await LocalTransfer.onDisk(path) { () throws(SFTPError) in
                var space = statvfs()
                return fstatvfs(file.rawValue, &space) == 0 ? space : nil
            }
            // Some FUSE file systems tell nothing: all their numbers are 0.
            guard let space, space.f_blocks > 0 else { return }
            let (free, overflow) = UInt64(space.f_bavail).multipliedReportingOverflow(by: UInt64(space.f_frsize))
            guard !overflow, size > free else { return }
            throw .local(
                detail:
                    "No space left for the local file \(path): \(FileFailures.shown(call.text)) on \"\(call.host.name)\" has "
                    + "\(size) bytes, and \(free) are free there. Nothing was written; free space there or choose another path."
            )
        }

        @Sendable func take(_ bytes: ArraySlice<UInt8>) async throws(SFTPError) {
            try await LocalTransfer.onDisk(path) { () throws(SFTPError) in try write(bytes)
            }
        }

        private func write(_ bytes: ArraySlice<UInt8>) throws(SFTPError) {
            var rest = bytes
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { rest in
                    uninterrupted { Glibc.write(file.rawValue, rest.baseAddress, rest.count) }
                }
                guard count > 0 else { throw failure }
                rest = rest.dropFirst(count)
            }
            // The disk writes while the network is waited for, so that little is left for fsync(2) at the end.
            _ = csd_start_writeback(file.rawValue)
        }

        /// Waits until all bytes are on the disk, fsync(2).
        func synchronize() async throws(SFTPError) {
            try await LocalTransfer.onDisk(path, within: LocalTransfer.flushing) { () throws(SFTPError) in
                guard fsync(file.rawValue) == 0 else { throw failure }
            }
        }

        private var failure: SFTPError {
            .local(
                detail: "The local file \(path) could not be written: \(LocalTransfer.reason). Nothing of it was kept; "
                    + "free space there or choose another path.")
        }
    }
}
