/// A temporary file that an earlier write left behind, and when it was last changed, in seconds since 1970.
struct Leftover: Sendable {
    let path: [UInt8]
    let modified: UInt32
}

/// What the directory of a write shows.
struct Surroundings: Sendable {
    var leftovers: [Leftover] = []
    /// Of the target, as far as its entry was seen.
    var ties = FileTies()
}

/// Temporary files that earlier writes left behind, because their connection was lost or their process was killed.
extension RemoteFiles {
    /// How many seconds old such a file must be: no write takes as long.
    static let leftoverAge: UInt32 = 3600
    /// Most names of a directory that are looked at for them in one write.
    static let mostSearched = 2000

    /// The temporary files in a directory that have the tag of this program, with the times of their last change. Over a shell the
    /// host looks for them; SFTP lists the directory, and of a large one only a part is looked at.
    ///
    /// SFTP tells of further names of a file only in the list of its directory.
    /// - Parameter name: of an entry whose ties are wanted.
    /// - Returns: nil where it cannot be looked at.
    func surroundings(of name: [UInt8], in directory: [UInt8], _ client: SFTPClient) async -> Surroundings? {
        var ties = FileTies()
        guard let handle = try? await client.send(.opendir(directory, temporaries: true)).handle() else {
            return nil
        }
        var pump = NamePump(client, handle: handle.bytes, path: directory)
        var found: [Leftover] = []
        var count = 0
        while count < Self.mostSearched, let names = try? await pump.next() {
            count += names.count
            if let entry = names.first(where: { $0.name == name }) { ties = entry.ties }
            for name in names where RemotePath.isTemporary(name.name) && name.attributes.type == .regular {
                guard let times = name.attributes.times else { continue }
                found.append(Leftover(path: RemotePath.join(directory, name.name), modified: times.modification))
            }
        }
        withExtendedLifetime(handle) {}
        return Surroundings(leftovers: found, ties: ties)
    }

    /// Looks for such files in the directory of a file that was written now, and removes those that are more than an hour older than
    /// it: so the host's clock counts alone. It happens after the write and beside what follows, so that nobody waits for it, and
    /// ends with the connection; what it leaves then is for the next write there.
    /// - Parameters:
    ///   - always: also where it was done a short while ago.
    ///   - looking: what looks at the directory already.
    func sweepBeside(
        _ written: [UInt8], _ client: SFTPClient, always: Bool = false, _ looking: Task<Surroundings?, Never>? = nil
    ) {
        guard let (directory, name) = RemotePath.split(written), channel.sweeps.begin(directory, always: always)
        else {
            return
        }
        Task { [self] in
            let operation = HostOperation(client.patience)
            let isDone = await HostOperation.$current.withValue(operation) {
                let seen =
                    if let looking { await looking.value } else { await surroundings(of: name, in: directory, client) }
                guard let seen else { return false }
                return await sweep(seen.leftovers, olderThan: written, client)
            }
            channel.sweeps.end(directory, isDone: isDone)
        }
    }

    /// - Returns: whether all were removed that had to be, or others do not let them be.
    private func sweep(_ leftovers: [Leftover], olderThan written: [UInt8], _ client: SFTPClient) async -> Bool {
        guard !leftovers.isEmpty else { return true }
        guard let now = try? await client.send(.lstat(written)).attributes().times?.modification else { return false }
        for file in leftovers where file.modified < now && now - file.modified > Self.leftoverAge {
            do throws(SFTPError) {
                try await client.send(.remove(file.path)).done()
            } catch .refused {
                continue
            } catch {
                return false
            }
        }
        return true
    }
}
