-- What version 3 of the tables looked like in SQLite, with an evaluation that had not ended. Never to be changed.
CREATE TABLE models (
  name TEXT NOT NULL PRIMARY KEY,
  digest TEXT NOT NULL,
  request_id TEXT UNIQUE,
  model BLOB NOT NULL
);
CREATE TABLE chosen_numerics (
  key TEXT NOT NULL PRIMARY KEY,
  fingerprint BLOB NOT NULL
);

-- A manifest (its header: all but the chunks) belongs to a dataset or to the stream of an evaluation.
CREATE TABLE manifests (
  id INTEGER PRIMARY KEY,
  header BLOB NOT NULL
);
CREATE TABLE chunks (
  manifest INTEGER NOT NULL REFERENCES manifests(id) ON DELETE CASCADE,
  position INTEGER NOT NULL,
  digest TEXT NOT NULL,
  samples INTEGER NOT NULL,
  PRIMARY KEY (manifest, position)
) WITHOUT ROWID;
CREATE TABLE datasets (
  name TEXT NOT NULL PRIMARY KEY,
  digest TEXT NOT NULL,
  request_id TEXT UNIQUE,
  manifest INTEGER NOT NULL UNIQUE REFERENCES manifests(id),
  dataset BLOB NOT NULL
);

CREATE TABLE evaluations (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE,
  request_id TEXT UNIQUE,
  model TEXT NOT NULL,
  dataset TEXT NOT NULL,
  manifest INTEGER UNIQUE REFERENCES manifests(id),
  state INTEGER NOT NULL,
  revision INTEGER NOT NULL DEFAULT 1,
  create_micros INTEGER NOT NULL,
  start_micros INTEGER,
  end_micros INTEGER,
  tasks INTEGER NOT NULL DEFAULT 0,
  tasks_done INTEGER NOT NULL DEFAULT 0,
  samples INTEGER NOT NULL DEFAULT 0,
  samples_done INTEGER NOT NULL DEFAULT 0,
  work REAL NOT NULL DEFAULT 0,
  work_done REAL NOT NULL DEFAULT 0,
  failure BLOB,
  evaluation BLOB NOT NULL
);
CREATE INDEX evaluations_by_state ON evaluations(state);
CREATE INDEX evaluations_by_dataset ON evaluations(dataset);
CREATE INDEX unfinished_evaluations ON evaluations(id) WHERE state <= 3;
CREATE INDEX unfinished_evaluations_by_model ON evaluations(model, id) WHERE state <= 3;

-- The other models that conditions name; evaluations.model is the evaluated one.
CREATE TABLE other_models (
  evaluation INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  PRIMARY KEY (evaluation, model)
) WITHOUT ROWID;
CREATE INDEX other_models_by_model ON other_models(model);

CREATE TABLE tasks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  evaluation INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
  condition INTEGER NOT NULL,
  first_sample INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  work REAL NOT NULL,
  create_micros INTEGER NOT NULL,
  state INTEGER NOT NULL DEFAULT 0,
  -- The task can be claimed from this time on: the end of the lease when leased; when open, 0 or
  -- the end of the wait after an attempt that failed.
  lease_micros INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  owner TEXT
);
CREATE INDEX tasks_in_order ON tasks(evaluation, condition, first_sample);
CREATE INDEX unfinished_tasks ON tasks(evaluation, id) WHERE state < 2;
CREATE INDEX leased_tasks ON tasks(evaluation, id) WHERE state = 1;

CREATE TABLE fingerprints (
  id INTEGER PRIMARY KEY,
  fingerprint BLOB NOT NULL UNIQUE
);
CREATE TABLE outcomes (
  task INTEGER PRIMARY KEY REFERENCES tasks(id) ON DELETE CASCADE,
  fingerprint INTEGER NOT NULL REFERENCES fingerprints(id),
  -- Digest of the adversarial examples that were kept.
  adversarials TEXT,
  batch BLOB NOT NULL
);
-- Digests of the vectors that were kept of a task's samples.
CREATE TABLE kept_vectors (
  task INTEGER NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
  digest TEXT NOT NULL,
  PRIMARY KEY (task, digest)
) WITHOUT ROWID;

-- The CSV of a manifest's metadata is a blob. What was measured of the images of a chunk belongs to
-- its bytes and to how they are read, whoever names it.
ALTER TABLE manifests ADD COLUMN metadata TEXT;
CREATE TABLE chunk_statistics (
  chunk TEXT NOT NULL,
  layout TEXT NOT NULL,
  statistics BLOB NOT NULL,
  PRIMARY KEY (chunk, layout)
) WITHOUT ROWID;

CREATE TABLE model_labels (
  model TEXT NOT NULL REFERENCES models(name) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (model, key)
) WITHOUT ROWID;
CREATE TABLE evaluation_labels (
  evaluation INTEGER NOT NULL REFERENCES evaluations(id) ON DELETE CASCADE,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (evaluation, key)
) WITHOUT ROWID;

-- Where the numbers of an evaluation come from. Those that were made before this table have no row.
CREATE TABLE provenance (
  evaluation INTEGER PRIMARY KEY REFERENCES evaluations(id) ON DELETE CASCADE,
  -- When the evaluation was made: the name may be another model's later.
  model_digest TEXT NOT NULL,
  -- Of the assayd that committed its tasks: "1.0.0, 1.1.0".
  versions TEXT NOT NULL DEFAULT '',
  model_seconds REAL NOT NULL DEFAULT 0,
  other_seconds REAL NOT NULL DEFAULT 0
);
-- NULL: not known, as of every evaluation with a task of which it is not.
ALTER TABLE provenance ADD COLUMN energy_joules REAL;
INSERT INTO models (name, digest, request_id, model) VALUES ('models/linear-0a8e36d1700b', '0a8e36d1700be26a4e2c5865ef0a3e9216d107d10b72dad09203324efb23c961', '46016de0-8957-460d-bdd2-e66beb0b70b1', X'0a1a6d6f64656c732f6c696e6561722d30613865333664313730306222403061386533366431373030626532366134653263353836356566306133653932313664313037643130623732646164303932303333323465666232336339363128c728320c08d19dadd80610f89ea6a8033ab7010a060803100818081004212d431cebe2361a3f280131aecbe4e9d921813e380140015292010a03637075100418012206312e31332e302a2c4156583531322c20496e74656c2852292058656f6e2852292050726f636573736f72204020322e353047487a32046e63687738014a4030373136643932663535373231623763373335333031623037383466333239356134643830326362383731313833353330386332306164366336613635666431510000000000000000');
INSERT INTO chosen_numerics (key, fingerprint) VALUES ('0a8e36d1700be26a4e2c5865ef0a3e9216d107d10b72dad09203324efb23c961 3x8x8 cpu threads=1 batch=4', X'0a03637075100418012206312e31332e302a2c4156583531322c20496e74656c2852292058656f6e2852292050726f636573736f72204020322e353047487a32046e63687738014a4030373136643932663535373231623763373335333031623037383466333239356134643830326362383731313833353330386332306164366336613635666431510000000000000000');
INSERT INTO manifests (id, header, metadata) VALUES (1, X'0a060803100818081001', 'bb00000000000000000000000000000000000000000000000000000000000000');
INSERT INTO chunks (manifest, position, digest, samples) VALUES (1, 0, '0a6f4146c483750bac6d6080999dd5da2c46414013463f3e3ca1fc56f8ad3dfe', 12);
INSERT INTO datasets (name, digest, request_id, manifest, dataset) VALUES ('datasets/images-62f83c9b6590', '62f83c9b6590e2d16ccd238e66c53d3a06ef0f6313386fb7cf1aa0f593c9b2b4', 'a85b7f0e-cde2-4f9f-afc6-cb7a8a9575dc', 1, X'0a1c64617461736574732f696d616765732d3632663833633962363539301240363266383363396236353930653264313663636432333865363663353364336130366566306636333133333836666237636631616130663539336339623262341a0a0a060803100818081001200c28b01230033a0c08d19dadd8061090feadb603');
INSERT INTO evaluations (id, name, request_id, model, dataset, manifest, state, revision, create_micros, start_micros, end_micros, tasks, tasks_done, samples, samples_done, work, work_done, failure, evaluation) VALUES (2, 'evaluations/unfinished', '307a6ea1-b918-4d5e-a153-9609bcca0e65', 'models/linear-0a8e36d1700b', 'datasets/images-62f83c9b6590', NULL, 3, 98, 1795903197909721, 1795903197913305, NULL, 72, 48, 72, 48, 268884.0, 26916.0, NULL, X'0a166576616c756174696f6e732f756e66696e697368656422d8010a1a6d6f64656c732f6c696e6561722d306138653336643137303062121c64617461736574732f696d616765732d3632663833633962363539301a05636c65616e1a1b61747461636b2f666d6e3a6e6f726d3d6c322c73746570733d35301a1d61747461636b2f7067643a73746570733d32302c6570733d342f3235351a2461747461636b2f7371756172653a6570733d342f3235352c717565726965733d323030301a1a736d6f6f7468696e672f676175737369616e3a6e3d32303030301a13636f6e666f726d616c2f727363703a6e3d3634200330012a0e0a05636c65616e1205636c65616e2a780a1a61747461636b2f666d6e2f6c322f302e352f73746570733d3530120661747461636b1a03666d6e220b0a06706f6c697368120134220b0a05737465707312023530220a0a036570731203302e35220a0a046e6f726d12026c32220c0a06726566696e6512023132220d0a0872657374617274731201382ab1010a1561747461636b2f7067642f6c696e662f342d323535120661747461636b1a03706764220b0a0573746570731202323022080a03656f74120131220c0a046e6f726d12046c696e66220e0a0674617267657412046e6f6e65220d0a04737465701205312f323535220a0a046c6f737312026365220d0a086d6f6d656e74756d120130220c0a036570731205342f323535220d0a087265737461727473120131220f0a057374617274120672616e646f6d2a730a2561747461636b2f7371756172652f6c696e662f342d3235352f717565726965733d32303030120661747461636b1a06737175617265220d0a06705f696e69741203302e38220c0a046e6f726d12046c696e66220f0a0771756572696573120432303030220c0a036570731205342f3235352abe010a1f736d6f6f7468696e672f676175737369616e2f302e32352f6e3d32303030301209736d6f6f7468696e671a08676175737369616e220f0a0573636f7065120673616d706c6522090a0572616469691200220c0a08656e73656d626c651200220d0a057369676d611204302e3235220d0a046d6f646512056669786564220a0a016e12053230303030220e0a05616c7068611205302e303031220b0a05736f756e6412026e6f22090a026e301203313030220a0a046e6f726d12026c322aac010a1e636f6e666f726d616c2f727363702f302e32352f302e3132352f6e3d36341209636f6e666f726d616c1a0472736370220d0a057369676d611204302e3235220e0a0564656c74611205302e313235220c0a05616c7068611203302e3122120a0b63616c6962726174696f6e1203302e3522070a016e1202363422120a05626f756e6412096265726e737465696e220c0a0573636f72651203687073220d0a04626574611205302e303031');
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (50, 2, 0, 0, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (51, 2, 0, 1, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (52, 2, 0, 2, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (53, 2, 0, 3, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (54, 2, 0, 4, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (55, 2, 0, 5, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (56, 2, 0, 6, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (57, 2, 0, 7, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (58, 2, 0, 8, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (59, 2, 0, 9, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (60, 2, 0, 10, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (61, 2, 0, 11, 1, 1.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (62, 2, 1, 0, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (63, 2, 1, 1, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (64, 2, 1, 2, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (65, 2, 1, 3, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (66, 2, 1, 4, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (67, 2, 1, 5, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (68, 2, 1, 6, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (69, 2, 1, 7, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (70, 2, 1, 8, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (71, 2, 1, 9, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (72, 2, 1, 10, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (73, 2, 1, 11, 1, 178.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (74, 2, 2, 0, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (75, 2, 2, 1, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (76, 2, 2, 2, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (77, 2, 2, 3, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (78, 2, 2, 4, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (79, 2, 2, 5, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (80, 2, 2, 6, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (81, 2, 2, 7, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (82, 2, 2, 8, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (83, 2, 2, 9, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (84, 2, 2, 10, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (85, 2, 2, 11, 1, 62.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (86, 2, 3, 0, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (87, 2, 3, 1, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (88, 2, 3, 2, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (89, 2, 3, 3, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (90, 2, 3, 4, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (91, 2, 3, 5, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (92, 2, 3, 6, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (93, 2, 3, 7, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (94, 2, 3, 8, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (95, 2, 3, 9, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (96, 2, 3, 10, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (97, 2, 3, 11, 1, 2002.0, 1795903197909765, 2, 0, 1, 1, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (98, 2, 4, 0, 1, 20100.0, 1795903197909765, 1, 1795903229103121, 1, 1, '22410/cpu');
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (99, 2, 4, 1, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (100, 2, 4, 2, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (101, 2, 4, 3, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (102, 2, 4, 4, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (103, 2, 4, 5, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (104, 2, 4, 6, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (105, 2, 4, 7, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (106, 2, 4, 8, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (107, 2, 4, 9, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (108, 2, 4, 10, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (109, 2, 4, 11, 1, 20100.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (110, 2, 5, 0, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (111, 2, 5, 1, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (112, 2, 5, 2, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (113, 2, 5, 3, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (114, 2, 5, 4, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (115, 2, 5, 5, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (116, 2, 5, 6, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (117, 2, 5, 7, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (118, 2, 5, 8, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (119, 2, 5, 9, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (120, 2, 5, 10, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO tasks (id, evaluation, condition, first_sample, samples, work, create_micros, state, lease_micros, fence, attempts, owner) VALUES (121, 2, 5, 11, 1, 64.0, 1795903197909765, 0, 0, 0, 0, NULL);
INSERT INTO fingerprints (id, fingerprint) VALUES (1, X'0a03637075100418012206312e31332e302a2c4156583531322c20496e74656c2852292058656f6e2852292050726f636573736f72204020322e353047487a32046e63687738014a4030373136643932663535373231623763373335333031623037383466333239356134643830326362383731313833353330386332306164366336613635666431510000000000000000');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (50, 1, NULL, X'0a07180325f234b53e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (51, 1, NULL, X'0a0b080110031803252eeb153f');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (52, 1, NULL, X'0a0b08021001180125ac7cab3e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (53, 1, NULL, X'0a0b080310021802257af4c73e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (54, 1, NULL, X'0a0b080410021802257ecbb03e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (55, 1, NULL, X'0a0b080510021802255b2f923e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (56, 1, NULL, X'0a0b08061003180225369cc13e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (57, 1, NULL, X'0a0b080710011801257cabb83e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (58, 1, NULL, X'0a070808254953b33e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (59, 1, NULL, X'0a0b080910021802255677e13e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (60, 1, NULL, X'0a0b080a10021802253fe8a23e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (61, 1, NULL, X'0a0b080b10031803257d10f43e');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (62, 1, NULL, X'0a0d180325f234b53e3a0418032801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (63, 1, NULL, X'0a20080110032568cfd33e28013a1308011001180321fcb7d8754285d33f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (64, 1, NULL, X'0a220802100118022530cd9b3e3a1508011001180121b4f9523bbc14b43f284630383801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (65, 1, NULL, X'0a20080310021801259ce1c33e3a1308011001180221ee690191f00a913f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (66, 1, NULL, X'0a20080410021801252b02af3e3a13080110011802219aa5258659f7803f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (67, 1, NULL, X'0a200805100218012583738e3e3a1308011001180221d388ea1d314e953f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (68, 1, NULL, X'0a1108061003180225369cc13e3a0418022801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (69, 1, NULL, X'0a1e0807100125c990b33e3a1308011001180121060434b81fb4983f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (70, 1, NULL, X'0a1c080818032576e39c3e3a11080110012173acfd791a78bd3f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (71, 1, NULL, X'0a2208091002180325ca09af3e3a1508011001180221d86e6b6c4157cd3f284630383801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (72, 1, NULL, X'0a20080a1002180325b5b2993e3a1308011001180221ab93f746c42da93f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (73, 1, NULL, X'0a20080b1003180125384ca73e3a13080110011803213bc800412b86d43f28463038');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (74, 1, NULL, X'0a0d180325f234b53e3a0418032801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (75, 1, NULL, X'0a29080110031803252eeb153f3a1c080118032816301468017180e9f3f91312da3f790000000000000000');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (76, 1, NULL, X'0a22080210011802255b24983e3a1508011001180121000000101010903f280730053801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (77, 1, NULL, X'0a2208031002180125a959c43e3a1508011001180221000000001010903f280430023801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (78, 1, NULL, X'0a2208041002180125b46cb33e3a1508011001180221000000001010903f280430023801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (79, 1, NULL, X'0a22080510021801259ca78e3e3a1508011001180221000000001010903f280430023801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (80, 1, NULL, X'0a1108061003180225369cc13e3a0418022801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (81, 1, NULL, X'0a200807100125cb7eb33e3a1508011001180121000000001010903f280430023801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (82, 1, NULL, X'0a1e080818032555be993e3a130801100121000000001010903f280730053801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (83, 1, NULL, X'0a29080910021802255677e13e3a1c0801180228163014680171880c1d033188d93f790000000000000000');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (84, 1, NULL, X'0a22080a10021803255ce5973e3a1508011001180221000000001010903f280630043801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (85, 1, NULL, X'0a29080b10031803257d10f43e3a1c0801180328163014680171728f96ca8f4cd83f790000000000000000');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (86, 1, NULL, X'0a0d180325f234b53e3a0418032801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (87, 1, NULL, X'0a14080110031803252eeb153f3a070801180328d20f');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (88, 1, NULL, X'0a21080210011802250cf89a3e3a1408011001180121000000101010903f28fa023801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (89, 1, NULL, X'0a200803100218012552ccc53e3a1308011001180221000000101010903f280e3801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (90, 1, NULL, X'0a20080410021801253d06b03e3a1308011001180221000000101010903f28023801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (91, 1, NULL, X'0a2008051002180125174c8f3e3a1308011001180221000000001010903f28163801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (92, 1, NULL, X'0a1108061003180225369cc13e3a0418022801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (93, 1, NULL, X'0a1e08071001255147b33e3a1308011001180121101010101010903f28203801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (94, 1, NULL, X'0a1d0808180325df6c9f3e3a120801100121101010101010903f28fa093801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (95, 1, NULL, X'0a14080910021802255677e13e3a070801180228d20f');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (96, 1, NULL, X'0a20080a10021803250d9e9a3e3a1308011001180221101010101010903f28783801');
INSERT INTO outcomes (task, fingerprint, adversarials, batch) VALUES (97, 1, NULL, X'0a14080b10031803257d10f43e3a070801180328d20f');
INSERT INTO kept_vectors (task, digest) VALUES (50, 'aa00000000000000000000000000000000000000000000000000000000000000');
INSERT INTO chunk_statistics (chunk, layout, statistics) VALUES ('0a6f4146c483750bac6d6080999dd5da2c46414013463f3e3ca1fc56f8ad3dfe', '3x8x8 UINT8', X'0a0101');
INSERT INTO model_labels (model, key, value) VALUES ('models/linear-0a8e36d1700b', 'team', 'a');
INSERT INTO evaluation_labels (evaluation, key, value) VALUES (2, 'team', 'b');
INSERT INTO provenance (evaluation, model_digest, versions, model_seconds, other_seconds, energy_joules) VALUES (2, 'digest of the model', '1.0.0', 1.5, 0.25, 2.5);
PRAGMA user_version = 3;
