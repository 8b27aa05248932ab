# For scripts that unpack packages of Debian without installing them. Source it.

# private_apt_prepare FOLDER: from here on private_apt keeps lists and packages in the folder. Signatures and sums are
# checked as ever. FOLDER/sources.list says which archives, as soon as private_apt_sources is called.
private_apt_prepare() {
    private_apt_folder="$1"
    mkdir -p "$private_apt_folder"/{lists,cache/archives}/partial
    cat >"$private_apt_folder/apt.conf" <<END
APT::Sandbox::User "$(id -un)";
#clear APT::Update::Post-Invoke;
Dir::State::Lists "$private_apt_folder/lists";
Dir::Cache "$private_apt_folder/cache";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
END
}

# Only the archives of FOLDER/sources.list, not those of the machine.
private_apt_sources() {
    cat >>"$private_apt_folder/apt.conf" <<END
Dir::Etc::SourceList "$private_apt_folder/sources.list";
Dir::Etc::SourceParts "-";
END
}

private_apt() {
    (cd "$private_apt_folder" && timeout 300 apt-get -qq -c "$private_apt_folder/apt.conf" "$@")
}
